// Package conflist edits CNI network configurations byte for byte: it appends,
// replaces and takes out one plugin's entry and leaves everything around it as
// another program wrote it, down to the last space. All of it is functions on
// bytes; who reads and writes files is cni/node/install.
//
// A primary network plugin that compares its file with what it wrote finds
// nothing of its own changed, and taking our entry out gives back exactly the
// file that was there before.
package conflist

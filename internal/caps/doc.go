// Package caps says which capabilities the calling thread has in effect.
package caps

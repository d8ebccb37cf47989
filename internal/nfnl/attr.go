package nfnl

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// Attrs yields the attributes of a message body or of a nested attribute: kind
// without flags, and value. It stops at the first one that does not fit.
func Attrs(data []byte) iter.Seq2[uint16, []byte] {
	return func(yield func(uint16, []byte) bool) {
		for len(data) >= 4 {
			n := int(binary.NativeEndian.Uint16(data))
			kind := binary.NativeEndian.Uint16(data[2:]) & 0x3fff
			if n < 4 || n > len(data) || !yield(kind, data[4:n]) {
				return
			}
			data = data[min((n+3)&^3, len(data)):]
		}
	}
}

// Attr returns the first attribute of a kind, nil if there is none.
func Attr(data []byte, kind uint16) []byte {
	for k, v := range Attrs(data) {
		if k == kind {
			return v
		}
	}
	return nil
}

// Uint32 reads a number in network order; 0 if the attribute is not one.
func Uint32(value []byte) uint32 {
	if len(value) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(value)
}

// Uint64 reads a number in network order; 0 if the attribute is not one.
func Uint64(value []byte) uint64 {
	if len(value) != 8 {
		return 0
	}
	return binary.BigEndian.Uint64(value)
}

// String reads a string up to its closing zero byte.
func String(value []byte) string {
	if i := bytes.IndexByte(value, 0); i >= 0 {
		value = value[:i]
	}
	return string(value)
}

package iptables

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// number is an address as a number of 128 bits, so that prefixes are arithmetic.
type number struct{ high, low uint64 }

func numberOf(a netip.Addr) number {
	if a.Is4() {
		b := a.As4()
		return number{low: uint64(binary.BigEndian.Uint32(b[:]))}
	}
	b := a.As16()
	return number{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])}
}

// addr is the address of so many bits.
func (n number) addr(size int) netip.Addr {
	if size == 32 {
		return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(n.low))))
	}
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], n.high)
	binary.BigEndian.PutUint64(b[8:], n.low)
	return netip.AddrFrom16(b)
}

// ones is a number whose lowest bits are one.
func ones(n int) number {
	if n > 64 {
		return number{1<<(n-64) - 1, 1<<64 - 1}
	}
	return number{low: 1<<n - 1}
}

func (n number) or(m number) number     { return number{n.high | m.high, n.low | m.low} }
func (n number) andNot(m number) number { return number{n.high &^ m.high, n.low &^ m.low} }

func (n number) less(m number) bool {
	return n.high < m.high || n.high == m.high && n.low < m.low
}

func (n number) next() number {
	low, carry := bits.Add64(n.low, 1, 0)
	return number{n.high + carry, low}
}

func (n number) trailingZeros() int {
	if n.low != 0 {
		return bits.TrailingZeros64(n.low)
	}
	return 64 + bits.TrailingZeros64(n.high)
}

package mesh

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/sluicemesh/sluice/test/rig"
)

// unmeshed installs nothing: the control, without which a table that always
// holds would look the same.
type unmeshed struct{}

func (unmeshed) String() string { return "nothing" }

func (unmeshed) Install(testing.TB, *rig.Namespace, Settings, Backend) {}

func TestWithoutRulesEverythingIsPlainAndNoSidecarIsPassed(t *testing.T) {
	m := New(t, unmeshed{}, Backends()[0])
	for _, f := range rig.Families() {
		for _, r := range matrix() {
			want := Row{r.From, r.To, false, "200", Plain, "", r.From}
			if got := m.Call(t, want, f).Got; got != want {
				t.Errorf("IPv%d:\ngot  %v\nwant %v", f, got, want)
			}
		}
	}
}

func TestACaptureFileHoldsTheConversation(t *testing.T) {
	m := New(t, Init{program(t)}, Backends()[0])
	for _, f := range rig.Families() {
		secured := m.Call(t, matrix()[0], f)
		plain := m.Call(t, matrix()[8], f)
		for _, o := range []Outcome{secured, plain} {
			var file bytes.Buffer
			if err := WritePcap(&file, o.Packets); err != nil {
				t.Fatal(err)
			}
			stream := payloads(t, readPcap(t, file.Bytes()))
			if got, want := bytes.Contains(stream, []byte("GET /headers HTTP/1.1")), o.Want.Wire == Plain; got != want {
				t.Errorf("IPv%d, %v: request readable in the capture file: %v, want %v", f, o.Got, got, want)
			}
			if got, want := bytes.Contains(stream, []byte("spiffe://")), false; got != want {
				t.Errorf("IPv%d, %v: identity readable in the capture file: %v, want %v", f, o.Got, got, want)
			}
			if len(stream) < 300 {
				t.Errorf("IPv%d, %v: only %d bytes of conversation captured", f, o.Got, len(stream))
			}
		}
	}
}

// readPcap is the other half of WritePcap, after the format's description.
func readPcap(t *testing.T, file []byte) []Packet {
	t.Helper()
	if len(file) < 24 || binary.LittleEndian.Uint32(file) != 0xa1b2c3d4 || binary.LittleEndian.Uint32(file[20:]) != 1 {
		t.Fatalf("not a capture file of Ethernet frames: % x", file[:min(24, len(file))])
	}
	var packets []Packet
	for rest := file[24:]; len(rest) > 0; {
		length := binary.LittleEndian.Uint32(rest[8:])
		seen := time.Unix(int64(binary.LittleEndian.Uint32(rest)), int64(binary.LittleEndian.Uint32(rest[4:]))*1000)
		packets = append(packets, Packet{seen, rest[16 : 16+length]})
		rest = rest[16+length:]
	}
	return packets
}

func payloads(t *testing.T, packets []Packet) []byte {
	t.Helper()
	var all []byte
	for _, p := range packets {
		if s, ok := parseSegment(p.Frame); ok {
			all = append(all, s.payload...)
		}
	}
	return all
}

func TestTheWireIsJudgedByItsBytes(t *testing.T) {
	hello, text := []byte{0x16, 0x03, 0x01, 0x02, 0x00}, []byte("GET / HTTP/1.1\r\nX-Token: SECRET\r\n")
	cases := []struct {
		name     string
		payloads [][]byte // client and server in turn
		want     Wire
	}{
		{"nothing", nil, Silent},
		{"a connection without a byte", [][]byte{nil, nil}, Closed},
		{"a request", [][]byte{text, []byte("HTTP/1.1 200 OK")}, Plain},
		{"a handshake", [][]byte{hello, hello, {0x17, 0x03, 0x03, 0x00}}, TLS},
		{"a handshake refused by an alert", [][]byte{hello, {0x15, 0x03, 0x03, 0x00}}, TLS},
		{"a handshake, and the token after it", [][]byte{hello, hello, text}, Plain},
		{"a handshake answered in plain text", [][]byte{hello, []byte("HTTP/1.1 400 Bad Request")}, Unclear},
		{"plain text without the token", [][]byte{[]byte("GET / HTTP/1.1")}, Unclear},
		{"plain text without the token, answered by a handshake", [][]byte{[]byte("GET / HTTP/1.1"), hello}, Unclear},
	}
	for _, c := range cases {
		packets := []Packet{{Frame: frame(true, 8080, []byte("the end of an earlier call: SECRET"))}}
		if c.want != Silent {
			packets = append(packets, Packet{Frame: syn(8080)})
		}
		for i, p := range c.payloads {
			packets = append(packets, Packet{Frame: frame(i%2 == 0, 8080, p)})
		}
		if got := Judge(packets, 8080, "SECRET"); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if got := Judge(packets, 80, "SECRET"); got != Silent {
			t.Errorf("%s, at another port: got %s, want %s", c.name, got, Silent)
		}
	}
}

// syn is the wish of the same client for a connection.
func syn(port uint16) []byte {
	b := frame(true, port, nil)
	b[14+20+13] = 0x02
	return b
}

// frame is an IPv4 segment between port 40000 and the server's port.
func frame(fromClient bool, port uint16, payload []byte) []byte {
	ports := []uint16{40000, port}
	if !fromClient {
		slices.Reverse(ports)
	}
	b := make([]byte, 14, 54+len(payload))
	b[12] = 0x08
	b = append(b, 0x45, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(40+len(payload)))
	b = append(b, 0, 0, 0, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 1)
	b = binary.BigEndian.AppendUint16(b, ports[0])
	b = binary.BigEndian.AppendUint16(b, ports[1])
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x18, 0, 0, 0, 0, 0, 0)
	return append(b, payload...)
}

package sock

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Options are what a socket carries beyond its addresses. The zero value is a
// plain socket.
type Options struct {
	// From is the source address of a connection; the zero value leaves the
	// choice to the kernel, port 0 leaves the port to it. Listeners ignore it.
	From netip.AddrPort
	// Mark is SO_MARK; 0 sets none. Needs CAP_NET_ADMIN.
	Mark uint32
	// Transparent is IP_TRANSPARENT or IPV6_TRANSPARENT: bind to an address
	// that the namespace does not own, or accept what TPROXY delivers. Needs
	// CAP_NET_ADMIN.
	Transparent bool
	// Reuse is SO_REUSEADDR: bind although an earlier connection of the same
	// port still rests in TIME_WAIT.
	Reuse bool
	// Device is SO_BINDTODEVICE; empty binds to none.
	Device string
}

// Net opens sockets. The network is tcp or udp. Addresses are literal
// ("192.0.2.1:80", "[::1]:53"), since a name would be looked up by whatever
// resolver the test machine has, and mean one family: "0.0.0.0:80" is every
// IPv4 address, "[::]:80" every IPv6 address.
type Net interface {
	Dial(ctx context.Context, network, to string, o Options) (net.Conn, error)
	Listen(ctx context.Context, network, at string, o Options) (net.Listener, error)
	ListenPacket(ctx context.Context, network, at string, o Options) (net.PacketConn, error)
}

// Host is the [Net] of the calling thread: its namespace, its credentials.
type Host struct{}

var _ Net = Host{}

// Dial connects to a literal address. The socket is opened on the calling
// thread, since [net.Dialer] starts goroutines only for names with several
// addresses.
func (Host) Dial(ctx context.Context, network, to string, o Options) (net.Conn, error) {
	network, err := oneFamily(network, to)
	if err != nil {
		return nil, err
	}
	d := net.Dialer{Control: o.control, LocalAddr: o.localAddr(network)}
	d.SetMultipathTCP(false)
	return d.DialContext(ctx, network, to)
}

// Listen accepts TCP connections. Multipath TCP, which Go asks for by default
// when it listens, stays off: SO_ORIGINAL_DST belongs to plain TCP sockets.
func (Host) Listen(ctx context.Context, network, at string, o Options) (net.Listener, error) {
	network, err := oneFamily(network, at)
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: o.control}
	lc.SetMultipathTCP(false)
	return lc.Listen(ctx, network, at)
}

// ListenPacket receives datagrams.
func (Host) ListenPacket(ctx context.Context, network, at string, o Options) (net.PacketConn, error) {
	network, err := oneFamily(network, at)
	if err != nil {
		return nil, err
	}
	lc := net.ListenConfig{Control: o.control}
	return lc.ListenPacket(ctx, network, at)
}

// oneFamily makes tcp4 or tcp6 of tcp: Go would take 0.0.0.0 for both families.
func oneFamily(network, address string) (string, error) {
	a, err := netip.ParseAddrPort(address)
	if err != nil {
		return "", err
	}
	if a.Addr().Is4() {
		return network + "4", nil
	}
	return network + "6", nil
}

func (o Options) localAddr(network string) net.Addr {
	switch {
	case !o.From.IsValid():
		return nil
	case strings.HasPrefix(network, "udp"):
		return net.UDPAddrFromAddrPort(o.From)
	default:
		return net.TCPAddrFromAddrPort(o.From)
	}
}

// control sets the options between socket(2) and bind(2), where the kernel
// wants them.
func (o Options) control(network, _ string, c syscall.RawConn) error {
	var set error
	err := c.Control(func(fd uintptr) { set = o.set(int(fd), strings.HasSuffix(network, "6")) })
	return errors.Join(err, set)
}

func (o Options) set(fd int, six bool) error {
	var errs []error
	if o.Mark != 0 {
		errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_MARK, int(o.Mark)))
	}
	if o.Transparent && six {
		errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_TRANSPARENT, 1))
	}
	if o.Transparent && !six {
		errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TRANSPARENT, 1))
	}
	if o.Reuse {
		errs = append(errs, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	}
	if o.Device != "" {
		errs = append(errs, unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, o.Device))
	}
	return errors.Join(errs...)
}

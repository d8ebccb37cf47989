package sidecar

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"time"

	"github.com/sluicemesh/sluice/test/sock"
)

// AskTimeout bounds one question: connection and answer.
const AskTimeout = 3 * time.Second

// Ask connects, or sends a datagram if the network is udp, and returns the
// report of whoever answers. At most one set of options. A connection that
// opens and then says nothing is an error.
func Ask(n sock.Net, network, to string, o ...sock.Options) (Report, error) {
	ctx, cancel := context.WithTimeout(context.Background(), AskTimeout)
	defer cancel()
	c, err := n.Dial(ctx, network, to, append(o, sock.Options{})[0])
	if err != nil {
		return Report{}, err
	}
	defer c.Close()
	return Question(c)
}

// Question is Ask on an open connection. Of a connection it reads no byte
// beyond the report's line, provided that the server waits for the client then.
func Question(c net.Conn) (Report, error) {
	if err := c.SetDeadline(time.Now().Add(AskTimeout)); err != nil {
		return Report{}, err
	}
	if _, datagram := c.(*net.UDPConn); datagram {
		if _, err := c.Write([]byte("who?")); err != nil {
			return Report{}, err
		}
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return Report{}, fmt.Errorf("no answer from %v: %w", c.RemoteAddr(), err)
	}
	return ParseReport(line)
}

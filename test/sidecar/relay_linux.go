package sidecar

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
)

// certificateHeader tells an HTTP application who its client is.
const certificateHeader = "X-Forwarded-Client-Cert"

// relay carries a connection to where dial leads: as HTTP if it begins so, else
// as bytes.
func relay(ctx context.Context, client *stream, dial func() (*stream, error), certificate string) error {
	speaksHTTP := client.startsHTTP()
	server, err := dial()
	if err != nil && speaksHTTP {
		return unavailable(client, err)
	}
	if err != nil {
		return err
	}
	defer server.Close()
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if speaksHTTP {
		return relayHTTP(client, server, certificate)
	}
	return pipe(client, server)
}

// startsHTTP recognises a request by its method. What does not begin with a
// capital letter is not kept waiting for more.
func (s *stream) startsHTTP() bool {
	if b := s.begins(1); len(b) == 0 || b[0] < 'A' || b[0] > 'Z' {
		return false
	}
	method, _, found := bytes.Cut(s.begins(len("OPTIONS ")), []byte(" "))
	return found && strings.Contains(" GET HEAD POST PUT PATCH DELETE OPTIONS ", " "+string(method)+" ")
}

// relayHTTP passes requests on, one after the other, until one side is done.
// The header is the sidecar's to set: what a client sends is dropped.
func relayHTTP(client, server *stream, certificate string) error {
	for {
		request, err := http.ReadRequest(client.r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		request.Header.Del(certificateHeader)
		if certificate != "" {
			request.Header.Set(certificateHeader, certificate)
		}
		if err := request.Write(server); err != nil {
			return unavailable(client, err)
		}
		response, err := http.ReadResponse(server.r, request)
		if err != nil {
			return unavailable(client, err)
		}
		err = writeWhole(client, response)
		response.Body.Close()
		if err != nil || response.Close || request.Close {
			return err
		}
	}
}

// writeWhole gathers what [http.Response.Write] writes in crumbs.
func writeWhole(w io.Writer, r *http.Response) error {
	b := bufio.NewWriter(w)
	return errors.Join(r.Write(b), b.Flush())
}

// answeredError is a failure of which the client has been told.
type answeredError struct{ error }

func (e answeredError) Unwrap() error { return e.error }

// unavailable answers a request that could not be passed on.
func unavailable(client *stream, cause error) error {
	_, err := io.WriteString(client, "HTTP/1.1 503 Service Unavailable\r\nServer: sidecar\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	return answeredError{errors.Join(cause, err, client.CloseWrite())}
}

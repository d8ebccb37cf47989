package sidecar

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"
)

// trustDomain begins every identity of the tests' mesh.
const trustDomain = "spiffe://cluster.local/"

// SPIFFE is the identity of a service account, as a mesh spells it.
func SPIFFE(namespace, account string) string {
	return trustDomain + "ns/" + namespace + "/sa/" + account
}

// certificateLife is that of a test, with room for a slow machine.
const certificateLife = time.Hour

// CA signs identities. It lives in memory only.
type CA struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	roots       *x509.CertPool
}

// Identity is what a sidecar proves to its peers.
type Identity struct {
	// ID is the URI of the certificate.
	ID string

	certificate tls.Certificate
	roots       *x509.CertPool
}

// NewCA makes a certificate authority.
func NewCA() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := template(1, nil)
	template.Subject = pkix.Name{Organization: []string{"cluster.local"}}
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(certificate)
	return &CA{certificate, key, roots}, nil
}

// Issue signs a certificate whose only name is the SPIFFE identity.
func (ca *CA) Issue(id string) (Identity, error) {
	uri, err := url.Parse(id)
	if err != nil {
		return Identity{}, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Identity{}, err
	}
	template := template(time.Now().UnixNano(), uri)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.certificate, key.Public(), ca.key)
	if err != nil {
		return Identity{}, err
	}
	return Identity{id, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, ca.roots}, nil
}

func template(serial int64, uri *url.URL) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(serial),
		NotBefore:    time.Now().Add(-time.Minute),
		NotAfter:     time.Now().Add(certificateLife),
	}
	if uri != nil {
		c.URIs = []*url.URL{uri}
	}
	return c
}

// The protocols by which sidecars recognise each other's TLS.
var meshProtocols = []string{"istio-peer-exchange", "istio"}

// server is the side that is connected to: it wants a certificate of the mesh.
func (i Identity) server() *tls.Config {
	return &tls.Config{
		MinVersion:       tls.VersionTLS12,
		Certificates:     []tls.Certificate{i.certificate},
		ClientAuth:       tls.RequireAndVerifyClientCert,
		ClientCAs:        i.roots,
		NextProtos:       meshProtocols,
		VerifyConnection: func(s tls.ConnectionState) error { return i.verify(s, "", x509.ExtKeyUsageClientAuth) },
	}
}

// client is the side that connects, to a peer of whom it knows the identity.
// Go compares host names, which these certificates don't have: the check is
// verify's alone.
func (i Identity) client(sni, peer string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		Certificates:       []tls.Certificate{i.certificate},
		ServerName:         sni,
		NextProtos:         meshProtocols,
		InsecureSkipVerify: true,
		VerifyConnection:   func(s tls.ConnectionState) error { return i.verify(s, peer, x509.ExtKeyUsageServerAuth) },
	}
}

// verify wants a chain to the mesh's root, an identity of the mesh, the given
// one unless it is empty, and a protocol of the mesh.
func (i Identity) verify(s tls.ConnectionState, want string, usage x509.ExtKeyUsage) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the peer shows no certificate")
	}
	leaf := s.PeerCertificates[0]
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: i.roots, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
		return err
	}
	id := identityOf(leaf)
	switch {
	case !strings.HasPrefix(id, trustDomain):
		return fmt.Errorf("the peer is %q, of another trust domain", id)
	case want != "" && id != want:
		return fmt.Errorf("the peer is %q, want %q", id, want)
	case s.NegotiatedProtocol == "":
		return errors.New("the peer offers no protocol of the mesh")
	}
	return nil
}

// identityOf is the one URI of a certificate; empty if it has none, or several.
func identityOf(c *x509.Certificate) string {
	if len(c.URIs) != 1 {
		return ""
	}
	return c.URIs[0].String()
}

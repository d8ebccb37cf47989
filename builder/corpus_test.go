package builder

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
)

// spell parses a value of a corpus kind and prints its normal form.
func spell(kind, value string) (normal string, notes []string, err error) {
	switch kind {
	case "port":
		var p Port
		err = p.UnmarshalText([]byte(value))
		return p.String(), nil, err
	case "ports":
		p, notes, err := parsePorts(value)
		return p.String(), notes, err
	case "cidr", "cidrs":
		c, notes, err := parseCIDRs(value)
		return c.String(), notes, err
	case "uid", "uids":
		ids, notes, err := parseIDs(value, nil)
		return ids.String(), notes, err
	case "interface":
		var i Interface
		err = i.UnmarshalText([]byte(value))
		return i.String(), nil, err
	case "mode":
		var m Mode
		err = m.UnmarshalText([]byte(value))
		return string(m), nil, err
	case "mark":
		var m Mark
		err = m.UnmarshalText([]byte(value))
		return m.String(), nil, err
	case "table":
		var r RouteTable
		err = r.UnmarshalText([]byte(value))
		return r.String(), nil, err
	case "resolv.conf":
		list, notes, err := parseResolvConf(value)
		return join(list), notes, err
	case "exclude-ports":
		_, err = Parse([]Input{{"istio-local-exclude-ports", value, "test"}}, Options{})
		return "", nil, err
	case "exclude-cidrs":
		_, err = Parse([]Input{{"istio-service-exclude-cidr", value, "test"}}, Options{})
		return "", nil, err
	}
	panic("unknown kind " + kind)
}

type corpusRow struct{ kind, value, want string }

func corpus(t *testing.T, file string) []corpusRow {
	t.Helper()
	return corpusRows(t, file)
}

func corpusRows(t testing.TB, file string) []corpusRow {
	t.Helper()
	f, err := os.Open("../testdata/settings/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var rows []corpusRow
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Split(lines.Text(), "\t")
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		value, err := strconv.Unquote(fields[1])
		if err != nil {
			t.Fatalf("%s: %v", lines.Text(), err)
		}
		rows = append(rows, corpusRow{fields[0], value, fields[2]})
	}
	if len(rows) == 0 {
		t.Fatalf("no rows in %s", file)
	}
	return rows
}

func TestBadSettingsAreRefused(t *testing.T) {
	for _, row := range corpus(t, "bad.txt") {
		if got, _, err := spell(row.kind, row.value); err == nil {
			t.Errorf("%s %q was taken as %q, want an error: %s", row.kind, row.value, got, row.want)
		}
	}
}

func TestGoodSettingsHaveANormalForm(t *testing.T) {
	for _, row := range corpus(t, "good.txt") {
		got, notes, err := spell(row.kind, row.value)
		if err != nil {
			t.Errorf("%s %q was refused: %v", row.kind, row.value, err)
			continue
		}
		want, warned := strings.CutSuffix(row.want, " (with a warning)")
		switch want {
		case "not given":
			want = ""
		case "fe80::1/128 on outgoing interface eth0":
			want = "fe80::1%eth0"
		case "192.0.2.7/32", "10.0.0.0/8", "2001:db8::/32":
		}
		if got != want {
			t.Errorf("%s %q became %q, want %q", row.kind, row.value, got, want)
		}
		if (len(notes) > 0) != warned {
			t.Errorf("%s %q: warnings %q, want one: %v", row.kind, row.value, notes, warned)
		}
		if again, _, err := spell(row.kind, got); got != "" && row.kind != "resolv.conf" && (err != nil || again != got) {
			t.Errorf("%s: its normal form %q became %q, %v", row.kind, got, again, err)
		}
	}
}

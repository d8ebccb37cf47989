package known

import "testing"

func TestAll(t *testing.T) {
	if Limit(5) != Small || Limit(15) != Large {
		t.Error("the limit is 10")
	}
	if Count(3) != 3 {
		t.Error("three is three")
	}
	if n, ok, err := Length("four"); n != 4 || !ok || err != nil {
		t.Error("four has four letters")
	}
	for _, bad := range []string{"", "longer"} {
		if _, _, err := Length(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if got := Tiny("ab"); got != "| a; b; |" {
		t.Error(got)
	}
	if b, ok := (Box{Wide: 2, High: 3}).Grow(1); !ok || b.Wide != 3 || b.High != 3 || len(b.Sizes) != 2 {
		t.Error(b, ok)
	}
	if b, ok := (Box{Wide: 9}).Grow(1); ok {
		t.Error(b)
	}
}

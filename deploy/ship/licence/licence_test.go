package licence

import (
	"strings"
	"testing"

	"github.com/sluicemesh/sluice/deploy/ship/sbom"
)

func TestLicencesAreToldByTheirPhrases(t *testing.T) {
	for text, want := range map[string]string{
		"Apache License\n   Version 2.0, January 2004":                                                                                                               "Apache-2.0",
		"Mozilla Public License Version 2.0":                                                                                                                         "MPL-2.0",
		"Redistribution and use in source\nand binary forms, … may be used to endorse or promote":                                                                    "BSD-3-Clause",
		"Redistribution and use in source and binary forms, with or without":                                                                                         "BSD-2-Clause",
		"Permission is hereby granted, free of charge, … The above copyright notice and this permission notice shall":                                                "MIT",
		"Permission to use, copy, modify, and distribute\nthis software for any purpose with or without fee is hereby granted":                                       "ISC",
		"Licensed under the Apache License, Version 2.0; and: Permission is hereby granted, free of charge, … The above copyright notice and this permission notice": "Apache-2.0 MIT",
		"You may not redistribute this program. Permission to use, copy, modify, and distribute it is not granted without a contract":                                "",
	} {
		if got := strings.Join(Names(text), " "); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestAModuleWhoseSourcesAreNotThereIsAnError(t *testing.T) {
	_, err := Of(".", []sbom.Part{{Name: "example.invalid/absent", Version: "v1.0.0"}})
	if err == nil || !strings.Contains(err.Error(), "example.invalid/absent") {
		t.Errorf("got error %v, want one that names the module", err)
	}
}

func TestNoticesCarryEveryText(t *testing.T) {
	got := string(Notices([]Module{{Part: sbom.Part{Name: "a", Version: "v1", License: "MIT"}, Texts: []string{"text of a\n", "notice of a"}}}))
	for _, want := range []string{"a v1 (MIT)", "text of a\n", "notice of a\n"} {
		if !strings.Contains(got, want) {
			t.Errorf("got\n%s\nwant %q in it", got, want)
		}
	}
}

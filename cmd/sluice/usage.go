package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// usageError is a command line that cannot be understood.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// noWords refuses words behind a command that takes flags only. Most come from
// a bare * that the shell has made into the names of files.
func noWords(c *cobra.Command, words []string) error {
	switch {
	case len(words) == 0:
		return nil
	case c.HasParent():
		return &usageError{fmt.Errorf("unexpected %q: sluice %s takes flags only (a * has to be quoted, or the shell replaces it)", words[0], c.CalledAs())}
	}
	text := fmt.Sprintf("unknown command %q", words[0])
	if like := c.SuggestionsFor(words[0]); len(like) > 0 {
		text += "; did you mean " + strings.Join(like, " or ") + "?"
	}
	return &usageError{errors.New(text)}
}

// spareWords lets words pass behind the mesh's spelling of the command, whose
// tool ignores them: on virtual machines it is called as istio-iptables init.
func spareWords(c *cobra.Command, words []string) error {
	if c.CalledAs() == "apply" {
		return noWords(c, words)
	}
	return nil
}

func twoOperands(_ *cobra.Command, args []string) error {
	switch {
	case len(args) != 2:
		return &usageError{fmt.Errorf("diff compares two things, A and B, not %d: 'sluice diff --help' says what they can be", len(args))}
	case slices.Contains(args, ""):
		return &usageError{fmt.Errorf("diff compares two things, and one of %q and %q is empty: a variable that is not set?", args[0], args[1])}
	}
	return nil
}

// wrongFlag names every flag of the command line that the command does not
// have, where its parser stops at the first.
func wrongFlag(args []string) func(*cobra.Command, error) error {
	return func(c *cobra.Command, err error) error {
		var first *pflag.NotExistError
		if !errors.As(err, &first) || first.GetSpecifiedShortnames() != "" {
			return &usageError{err}
		}
		list := []string{}
		for _, arg := range args {
			name, isLong := strings.CutPrefix(arg, "--")
			name, _, _ = strings.Cut(name, "=")
			if isLong && name != "" && c.Flags().Lookup(name) == nil {
				list = append(list, "--"+name+meant(c, name))
			}
		}
		return &usageError{errors.New("unknown flag: " + strings.Join(list, ", "))}
	}
}

// meant is the flag that differs by hyphens only.
func meant(c *cobra.Command, name string) (hint string) {
	plain := strings.NewReplacer("-", "", "_", "")
	c.Flags().VisitAll(func(f *pflag.Flag) {
		if plain.Replace(f.Name) == plain.Replace(name) {
			hint = " (did you mean --" + f.Name + "?)"
		}
	})
	return hint
}

package mailbox_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"desist/resolvers/mailbox"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"abuse@H.Example": "abuse@h.example", " <abuse@h.example>, ": "abuse@h.example", "mailto:abuse@h.example": "abuse@h.example",
		"abuse@bücher.example": "abuse@xn--bcher-kva.example", "a+b@h.example": "a+b@h.example",
		"abuse": "", "@h.example": "", "abuse@": "", "abuse@localhost": "", "a b@h.example": "", "a..b@h.example": "", "abuse@h.example\r\nBcc: x@y.example": "",
		"abuse@192.0.2.1": "", strings.Repeat("a", 65) + "@h.example": "", "REDACTED FOR PRIVACY": "", "https://h.example/form": "", `"x y"@h.example`: "",
	} {
		got, ok := mailbox.Clean(in)
		if got != want || ok != (want != "") {
			t.Errorf("%q: %q, %v; want %q", in, got, ok, want)
		}
	}
}

func TestJudgement(t *testing.T) {
	for address, junk := range map[string]bool{"removed@h.example": true, "noreply@h.example": true, "abuse@h.invalid": true, "redacted-x@h.example": true, "abuse@h.example": false, "removedbutfine@h.example": false} {
		if mailbox.Junk(address) != junk {
			t.Errorf("%s: junk is %v", address, !junk)
		}
	}
	for address, want := range map[string]mailbox.Desk{
		"abuse@h.example": mailbox.Abuse, "domainabuse@h.example": mailbox.Abuse, "gtld+abuse@h.example": mailbox.Abuse, "anti-spam@h.example": mailbox.Abuse,
		"noc@h.example": mailbox.Role, "arin-contact@h.example": mailbox.Role, "jane.doe@h.example": mailbox.Person, "nocturne@h.example": mailbox.Person,
	} {
		if got := mailbox.DeskOf(address); got != want {
			t.Errorf("%s: desk %d, want %d", address, got, want)
		}
	}
}

func TestRank(t *testing.T) {
	ranked, chosen := mailbox.Rank([]mailbox.Candidate{
		{Email: "noc@h.example", Kind: mailbox.Other, Roles: []string{"technical"}, Source: "a"},
		{Email: "desk@h.example", Kind: mailbox.Remarks, Source: "b"},
		{Email: "Desk@H.example", Kind: mailbox.AbuseC, Roles: []string{"abuse"}, Source: "c"},
		{Email: "hostmaster@nic.ad.jp", Kind: mailbox.RoleAbuse, Source: "d"},
		{Email: "removed@h.example", Kind: mailbox.AbuseC, Source: "e"},
	})
	var got []string
	for _, c := range ranked {
		got = append(got, c.Email)
	}
	if diff := cmp.Diff([]string{"Desk@h.example", "hostmaster@nic.ad.jp", "noc@h.example"}, got); diff != "" || chosen != "Desk@h.example" {
		t.Errorf("chosen %q: %s", chosen, diff)
	}
	if ranked[1].Confidence > mailbox.RegistryCeiling {
		t.Errorf("a registry's mailbox has confidence %.2f", ranked[1].Confidence)
	}
	if _, chosen := mailbox.Rank(ranked[1:]); chosen != "" {
		t.Errorf("%q was chosen from what cannot be trusted", chosen)
	}
}

func TestKindsAreOrdered(t *testing.T) {
	kinds := []mailbox.Kind{mailbox.Override, mailbox.Reply, mailbox.AbuseC, mailbox.RoleAbuse, mailbox.RegistrarAbuse, mailbox.SecurityTxt, mailbox.Zone, mailbox.AbuseLine, mailbox.Named, mailbox.Remarks, mailbox.Registrar, mailbox.Parent, mailbox.Other}
	if !slices.IsSortedFunc(kinds, func(a, b mailbox.Kind) int {
		switch x, y := a.Confidence(), b.Confidence(); {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	}) {
		t.Error("the confidence of the kinds does not follow their precedence")
	}
}

func FuzzFindAll(f *testing.F) {
	f.Add("send to abuse@h.example or <x@y.example>")
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range mailbox.FindAll(text) {
			if again, ok := mailbox.Clean(a); !ok || again != a {
				t.Errorf("%q is not clean: %q", a, again)
			}
		}
	})
}

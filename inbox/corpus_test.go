package inbox_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"desist/inbox"
	"desist/takedown"
)

// corpus returns the folder of real bounces, or skips.
func corpus(t *testing.T) string {
	t.Helper()
	root := os.Getenv("DESIST_CORPORA")
	if root == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			parent := filepath.Dir(dir)
			if parent == dir {
				t.Fatal("no go.mod above the test")
			}
			dir = parent
		}
		root = filepath.Join(dir, "..", "shared", "corpora")
	}
	folder := filepath.Join(root, "bounces")
	if _, err := os.Stat(folder); err != nil {
		t.Skipf("the bounce corpus is not here (%v); set DESIST_CORPORA to the folder that holds it", err)
	}
	return folder
}

// reasons maps the corpus's labels to ours, by the outside contract.
var reasons = map[string]inbox.Reason{
	"userunknown": "no_such_user", "hostunknown": "no_such_host", "mailboxfull": "mailbox_full", "suspend": "suspended",
	"hasmoved": "moved", "mesgtoobig": "too_big", "exceedlimit": "too_big", "speeding": "rate_limited", "toomanyconn": "rate_limited",
	"expired": "expired", "networkerror": "expired", "systemerror": "system", "systemfull": "system", "mailererror": "system",
	"syntaxerror": "system", "undefined": "other", "onhold": "other",
}

func TestCorpus(t *testing.T) {
	folder := corpus(t)
	raw, err := os.ReadFile(filepath.Join(folder, "labels.json"))
	if err != nil {
		t.Fatal(err)
	}
	var labels map[string][]struct {
		Status, Reply, Reason string
		Hard                  bool
	}
	if err := json.Unmarshal(raw, &labels); err != nil {
		t.Fatal(err)
	}
	var files, class, counted, recipients, reason, permanent, wrongDead, status int
	for file, want := range labels {
		raw, err := os.ReadFile(filepath.Join(folder, file))
		if err != nil {
			t.Fatal(err)
		}
		got := inbox.Inspect(file, raw)
		files++
		wantClass := []takedown.ReplyClass{takedown.ReplyBounce, takedown.ReplyDelayed}
		switch want[0].Reason {
		case "feedback":
			wantClass = []takedown.ReplyClass{takedown.ReplyFeedback}
		case "vacation":
			wantClass = []takedown.ReplyClass{takedown.ReplyAuto}
		case "delivered":
			wantClass = []takedown.ReplyClass{takedown.ReplyDelivered}
		}
		if got.Class == wantClass[0] || len(wantClass) > 1 && got.Class == wantClass[1] {
			class++
		} else {
			t.Logf("%s: class %s, want %s", file, got.Class, wantClass)
		}
		if want[0].Reason == "feedback" {
			continue
		}
		for i, label := range want {
			counted++
			if i >= len(got.Recipients) {
				t.Logf("%s: recipient %d is missing", file, i+1)
				continue
			}
			recipients++
			expected, known := reasons[label.Reason]
			if !known {
				expected = inbox.ReasonRefused
			}
			r := got.Recipients[i]
			if r.Reason == expected {
				reason++
			} else {
				t.Logf("%s: %s is %s, want %s (%s; %+v)", file, r.Address, r.Reason, expected, label.Reason, r)
			}
			if r.Permanent == label.Hard {
				permanent++
			}
			if r.Permanent && !label.Hard {
				wrongDead++
			}
			if r.Status == label.Status {
				status++
			}
		}
	}
	t.Logf("class %d of %d; recipients found %d of %d, reason right %d, permanent right %d (wrongly dead %d), status right %d",
		class, files, recipients, counted, reason, permanent, wrongDead, status)
	// Floors a little below what is reached, to notice a step back.
	for name, share := range map[string]struct{ got, of, percent int }{
		"class": {class, files, 97}, "recipients": {recipients, counted, 94}, "reason": {reason, counted, 69}, "permanent": {permanent, counted, 79},
	} {
		if share.got*100 < share.of*share.percent {
			t.Errorf("%s: %d of %d is below %d %%", name, share.got, share.of, share.percent)
		}
	}
}

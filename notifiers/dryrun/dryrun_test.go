package dryrun_test

import (
	"testing"
	"time"

	"desist/notifiers/dryrun"
	"desist/notifiers/notifiertest"
)

func TestConformance(t *testing.T) {
	notifiertest.Run(t, notifiertest.Harness{
		New:    func(*testing.T, string, time.Duration, int) notifiertest.Notifier { return dryrun.New(nil) },
		Drafts: true,
	})
}

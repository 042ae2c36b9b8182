package config

import (
	"path/filepath"
	"time"

	"desist/takedown"
)

const day = 24 * time.Hour

// The parts of the service, each of which can run in a process of its own.
const (
	RoleAPI     = "api"
	RoleWeb     = "web"
	RoleIntake  = "intake"
	RoleResolve = "resolve"
	RolePlan    = "plan"
	RoleCompose = "compose"
	RoleDeliver = "deliver"
	RoleTrack   = "track"
	RoleInbox   = "inbox"
	RoleRelay   = "relay"
)

// Roles lists every part of the service.
func Roles() []string {
	return []string{RoleAPI, RoleWeb, RoleIntake, RoleResolve, RolePlan, RoleCompose, RoleDeliver, RoleTrack, RoleInbox, RoleRelay}
}

// Scopes lists what a token may allow.
func Scopes() []string { return []string{"submit", "read", "review", "send", "admin"} }

// Sources lists the resolvers by the names that resolve.sources takes.
func Sources() []string { return []string{"dns", "rdap", "whois", "asn"} }

// Default returns the settings of an empty file. DataDir is empty in it; Load
// fills in DefaultDataDir.
func Default() Config {
	// The registrar hears a day later than those who hold the content, because
	// suspending a name hits everything under it.
	registrar := []takedown.Class{takedown.ClassPhishing, takedown.ClassMalware, takedown.ClassC2, takedown.ClassFraudshop}
	return Config{
		Database:       Database{MaxConns: 16},
		NATS:           NATS{Replicas: 1},
		Listen:         "127.0.0.1:8080",
		Roles:          Roles(),
		StartupTimeout: time.Minute,
		Log:            Log{Level: "info", Format: "text"},
		Sending:        SendingDryRun,
		SMTP:           SMTP{TLS: TLSOpportunistic, Connections: 8, Timeout: time.Minute},
		Inbox:          Inbox{IMAP: IMAP{TLS: TLSImplicit, Mailbox: "INBOX", Interval: time.Minute}},
		Notify:         Notify{Digest: Digest{Size: 100}},
		Deliver: Deliver{
			Lease: 5 * time.Minute,
			Retry: Retry{First: 5 * time.Minute, Max: 4 * time.Hour, GiveUp: 2 * day},
		},
		Resolve: Resolve{
			Sources: []string{"dns", "rdap", "whois", "asn"},
			Timeout: 30 * time.Second, QueryTimeout: 10 * time.Second, Concurrency: 64,
			Budget: Budget{Rate: 10, Burst: 20, Patience: 3 * time.Second, Failures: 5, Cooldown: 30 * time.Second},
		},
		DNS: DNS{Timeout: 2 * time.Second},
		Policy: Policy{
			MaxAge: 30 * day,
			Review: Review{Classes: []takedown.Class{takedown.ClassFraudshop}, Grades: []string{}, MinConfidence: 0.5},
		},
		Ladder: Ladder{
			Host:        Rung{Enabled: true, ReminderAfter: day, Reminders: 1},
			Platform:    Rung{Enabled: true, ReminderAfter: day, Reminders: 1},
			CDN:         Rung{Enabled: true, ReminderAfter: day, Reminders: 1},
			ISP:         Rung{Enabled: true, ReminderAfter: 2 * day, Reminders: 1},
			Upstream:    Rung{After: 3 * day, ReminderAfter: 2 * day, Reminders: 1},
			Registrar:   Rung{Enabled: true, After: day, ReminderAfter: 2 * day, Reminders: 1, Classes: registrar},
			Registry:    Rung{After: 4 * day, ReminderAfter: 2 * day, Reminders: 1, Classes: registrar},
			CSIRT:       Rung{After: 5 * day},
			ManualAfter: 2 * day,
			FinalWait:   3 * day,
		},
		Track: Track{
			First: 15 * time.Minute, AfterDay: time.Hour, AfterWeek: 3 * time.Hour,
			ConfirmInterval: 30 * time.Minute, ConfirmRounds: 3,
			Watch: 30 * day, WatchInterval: 6 * time.Hour, GiveUp: 30 * day, LookFirst: true, Concurrency: 64,
		},
		Pipeline: Pipeline{Batch: 256, SweepAfter: 30 * time.Second},
		Simnet:   Simnet{ClockFactor: 1},
	}
}

// DefaultDataDir returns where the embedded parts keep their files: for root
// /var/lib/desist, else desist in the state folder of the XDG Base Directory
// Specification. getenv reads the environment, uid is the user's number.
func DefaultDataDir(getenv func(string) string, uid int) string {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) { // the specification ignores relative paths
		return filepath.Join(dir, "desist")
	}
	if home := getenv("HOME"); uid != 0 && home != "" {
		return filepath.Join(home, ".local", "state", "desist")
	}
	return "/var/lib/desist"
}

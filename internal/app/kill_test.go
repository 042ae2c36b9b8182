package app_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"desist/internal/app"
	"desist/internal/config"
	"desist/internal/pgserver"
	"desist/internal/postgres"
	"desist/internal/simnet"
	"desist/takedown"
)

// killWorld has many sites on few desks that take every mail and do nothing.
const killWorld = `
name: kill
seed: 7
epoch: 2026-01-05T08:00:00Z
behaviours:
  ignores: {class: unresponsive}
registries:
  - {name: reg-com, org: Simulated Registry, domain: sim-registry.net, country: US, tlds: [com, net, de], whois: gtld, desk: {abuse: abuse@sim-registry.net, behaviour: ignores}}
registrars:
  - {name: names, org: Simulated Names, domain: sim-names.com, country: US, iana_id: 990001, desk: {abuse: abuse@sim-names.com, behaviour: ignores}}
networks:
  - {name: one, org: One Simulated Hosting, domain: sim-one.de, country: DE, rir: ripe, asn: 64496, prefixes: [192.0.2.0/25], desk: {abuse: abuse@sim-one.de, behaviour: ignores}}
  - {name: two, org: Two Simulated Hosting, domain: sim-two.com, country: US, rir: arin, asn: 64497, prefixes: [198.51.100.0/25], desk: {abuse: abuse@sim-two.com, behaviour: ignores}}
populations:
  - {name: sites, count: 2000, classes: {phishing: 1, malware: 1}, tlds: {com: 1}, networks: {one: 1, two: 1}, registrars: {names: 1}}
`

// TestKill kills the service in the middle of its work and starts it again.
// Nothing that it acknowledged is lost, and nothing is said twice.
func TestKill(t *testing.T) {
	if _, err := pgserver.Find(); err != nil && os.Getenv("CI") == "" {
		t.Skipf("This test needs PostgreSQL: %v", err)
	}
	world, err := simnet.LoadWorld(strings.NewReader(killWorld), "kill.yaml")
	if err != nil {
		t.Fatal(err)
	}
	world.Epoch = time.Now()
	n := startWorld(t, world, newWarp(world.Epoch, 1))
	dir := serverDir(t)
	file := worldFiles(t, n, dir)
	env := environment(settings(map[string]string{
		"data_dir": dir, "nats.listen": "127.0.0.1:0", "inbox.lmtp": "", "ladder.registrar.enabled": "false", "track.look_first": "false", "track.first": "24h",
		"deliver.lease": "4s", "deliver.retry.first": "1s", "smtp.timeout": "2s", "pipeline.sweep_after": "2s",
	}))
	rows := n.Feed(2000, simnet.FeedOptions{Plain: true})
	if len(rows) != 2000 {
		t.Fatalf("the world has %d sites", len(rows))
	}

	first := startChild(t, file, env)
	published := make(chan error, 1)
	acknowledged := make(map[int]bool)
	go func() { published <- publishAll(first.nats, rows, acknowledged) }()
	eventually(t, 20*time.Second, func() string {
		if n.Stats().Mails < 200 {
			return "no notice left before the kill"
		}
		return ""
	})
	first.kill(t)
	mails := n.Stats().Mails
	if mails >= len(rows) {
		t.Fatalf("all %d notices had left before the kill; it came too late to show anything", mails)
	}
	if err := <-published; err != nil {
		t.Logf("the publisher saw the kill: %v", err)
	}
	before := maps.Clone(acknowledged)
	t.Logf("killed after %d mails and %d acknowledged submissions", mails, len(before))

	second := startChild(t, file, env)
	if err := publishAll(second.nats, rows, acknowledged); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file, env)
	if err != nil {
		t.Fatal(err)
	}
	db, err := app.OpenStore(t.Context(), cfg, quiet()) // the one that the service keeps
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if t.Failed() {
			t.Log("what stages could not do:" + failures(t, db.Store))
		}
		if err := db.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	}()
	eventually(t, 30*time.Second, func() string {
		o := overview(t, db.Store)
		told := o.Legs[string(takedown.LegNotified)] + o.Legs[string(takedown.LegUnknown)]
		if o.Cases[string(takedown.CaseActive)] != len(rows) || told != len(rows) {
			return fmt.Sprintf("cases %v, legs %v, deliveries %v, %d dead letters", o.Cases, o.Legs, o.Deliveries, o.DeadLetters)
		}
		return ""
	})

	all := cases(t, db.Store)
	if len(all) != len(rows) {
		t.Errorf("%d cases, want %d", len(all), len(rows))
	}
	one := make(map[string]bool)
	ids := make([]int64, len(all))
	for i, c := range all {
		ids[i] = c.ID
		key := c.Indicator.Value + " " + string(c.Class)
		if one[key] {
			t.Errorf("%s has two cases", key)
		}
		one[key] = true
	}
	kept(t, db.Store, ids, before)
	saidOnce(t, db.Store, n.Mails(20_000))
	unknown := overview(t, db.Store).Legs[string(takedown.LegUnknown)]
	if arrived := n.Stats().Mails; arrived < len(rows)-unknown {
		t.Errorf("%d mails arrived for %d legs, %d of them unknown", arrived, len(rows), unknown)
	}
	t.Logf("%d legs are unknown", unknown)
	audited(t, db.Store)
	second.end(t)
}

// kept fails unless every acknowledged submission is in the record.
func kept(t *testing.T, s *postgres.Store, ids []int64, acknowledged map[int]bool) {
	t.Helper()
	subs, err := s.Submissions(t.Context(), ids)
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]bool)
	for _, list := range subs {
		for _, sub := range list {
			have[sub.ExternalID] = true
		}
	}
	for i := range acknowledged {
		if !have[strconv.Itoa(i)] {
			t.Errorf("submission %d was acknowledged and is lost", i)
		}
	}
}

// serverDir is a directory that the user of PostgreSQL can enter. What a killed
// service left running in it ends with the test.
func serverDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "desist-app-test")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // another user must enter it
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		cluster := filepath.Join(dir, "postgres")
		if _, err := os.Stat(filepath.Join(cluster, "data", "postmaster.pid")); err == nil {
			s, err := pgserver.Start(ctx, pgserver.Config{Dir: cluster})
			if err == nil {
				err = s.Stop(ctx)
			}
			if err != nil {
				t.Errorf("end the orphaned PostgreSQL: %v", err)
			}
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A child is a service in a process of its own.
type child struct {
	cmd    *exec.Cmd
	nats   string
	stderr *bytes.Buffer
	done   bool
}

func startChild(t *testing.T, file string, env []string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0]), stderr: new(bytes.Buffer)}
	c.cmd.Env = slices.Concat(os.Environ(), env, []string{childEnv + "=" + file})
	c.cmd.Stderr = c.stderr
	c.cmd.WaitDelay = time.Second // PostgreSQL outlives the kill and holds the pipe
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if !c.done {
			_ = c.cmd.Process.Kill() // the test failed
			_ = c.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("the service said:\n%s", c.stderr)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("the service did not start: %v\n%s", err, c.stderr)
	}
	c.nats = strings.TrimSpace(line)
	return c
}

// kill ends it with SIGKILL.
func (c *child) kill(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	err := c.cmd.Wait()
	c.done = true
	var exit *exec.ExitError
	if !errors.As(err, &exit) && !errors.Is(err, exec.ErrWaitDelay) {
		t.Fatalf("the killed service ended with %v", err)
	}
}

// end interrupts it and expects that it ends well within ten seconds.
func (c *child) end(t *testing.T) {
	t.Helper()
	began := time.Now()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := c.cmd.Wait()
	c.done = true
	if err != nil {
		t.Errorf("the service ended with %v", err)
	}
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %v to end", took)
	}
}

// publishAll hands in the rows that are not yet acknowledged, as any client of
// NATS could, and notes those that are.
func publishAll(addr string, rows []simnet.FeedRow, acknowledged map[int]bool) error {
	d, err := dialDoor(addr)
	if err != nil {
		return err
	}
	defer func() { _ = d.conn.Close() }() // everything was acknowledged, or it broke
	const window = 64
	waiting := 0
	for i, row := range rows {
		if acknowledged[i] {
			continue
		}
		body, err := json.Marshal(takedown.IndicatorMessage{Indicator: row.Indicator, Class: takedown.Class(row.Class), SeenAt: &row.SeenAt, ExternalID: strconv.Itoa(i)})
		if err != nil {
			return err
		}
		if err := d.publish("desist.indicators.test", i, body); err != nil {
			return err
		}
		if waiting++; waiting < window {
			continue
		}
		if err := d.await(acknowledged); err != nil {
			return err
		}
		waiting--
	}
	for ; waiting > 0; waiting-- {
		if err := d.await(acknowledged); err != nil {
			return err
		}
	}
	return nil
}

// A door is a connection to NATS that speaks its plain protocol, so that the
// service is not only tested against its own client.
type door struct {
	conn net.Conn
	r    *bufio.Reader
}

func dialDoor(addr string) (*door, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return nil, err
	}
	d := &door{conn: conn, r: bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if _, err := io.WriteString(conn, "CONNECT {\"verbose\":false,\"pedantic\":false,\"protocol\":1}\r\nSUB _INBOX.test.* 1\r\n"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return d, nil
}

func (d *door) publish(subject string, id int, body []byte) error {
	_, err := fmt.Fprintf(d.conn, "PUB %s _INBOX.test.%d %d\r\n%s\r\n", subject, id, len(body), body)
	return err
}

// await reads one acknowledgement of JetStream and notes it.
func (d *door) await(acknowledged map[int]bool) error {
	for {
		line, err := d.r.ReadString('\n')
		if err != nil {
			return err
		}
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] == "INFO" || fields[0] == "PONG" || fields[0] == "+OK":
			continue
		case fields[0] == "PING":
			if _, err := io.WriteString(d.conn, "PONG\r\n"); err != nil {
				return err
			}
			continue
		case fields[0] != "MSG" || len(fields) < 4:
			return fmt.Errorf("NATS said %q", line)
		}
		size, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			return err
		}
		body := make([]byte, size+2)
		if _, err := io.ReadFull(d.r, body); err != nil {
			return err
		}
		var ack struct {
			Seq   uint64 `json:"seq"`
			Error *struct {
				Description string `json:"description"`
			} `json:"error"`
		}
		if err := json.Unmarshal(body, &ack); err != nil {
			return err
		}
		if ack.Error != nil || ack.Seq == 0 {
			return fmt.Errorf("JetStream refused: %s", body)
		}
		id, err := strconv.Atoi(strings.TrimPrefix(fields[1], "_INBOX.test."))
		if err != nil {
			return err
		}
		acknowledged[id] = true
		return nil
	}
}

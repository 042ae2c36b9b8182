package bench

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Write prints the report for people.
func (rep Report) Write(w io.Writer) error {
	m := rep.Machine
	var b strings.Builder
	fmt.Fprintf(&b, "%d cores, %s, %s, PostgreSQL %s\n", m.Cores, m.Platform, m.Go, m.PostgreSQL)
	if m.Memory {
		b.WriteString("The files are in memory: durable writes cost less here than on a disk. Name a folder on a disk with --data.\n")
	}
	if f := rep.Floor; f != nil {
		f.write(&b)
	}
	if in := rep.Intake; in != nil {
		title(&b, "intake", "%d submissions taken in durably", in.Batches.N)
		rates(&b, row{"batches", in.Batches}, row{"NATS, acknowledged", in.Published}, row{"NATS, in PostgreSQL", in.Stored})
	}
	if c := rep.Compose; c != nil {
		title(&b, "compose", "%d notices worded and sealed on %d cores, %d bytes each", c.N, c.Cores, c.MailBytes)
		rates(&b, row{"render and seal", c.Rate})
	}
	if s := rep.SMTP; s != nil {
		title(&b, "smtp", "%d mails of %d bytes to a sink over %d connections", s.N, s.MailBytes, s.Connections)
		rates(&b, row{"own client", s.Rate})
	}
	if p := rep.Pipeline; p != nil {
		if rep.Floor == nil {
			p.Floor.write(&b)
		}
		title(&b, "pipeline", "%d indicators on %d hosts, from submitted to accepted, %d connections", p.N, p.Hosts, p.Connections)
		rates(&b, row{"pipeline", p.Rate})
		fmt.Fprintf(&b, "  %.2f of the floor; %s\n", p.Ratio, memory(p.PeakMemory))
		fmt.Fprintf(&b, "  (%s)\n", p.Note)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func memory(bytes int64) string {
	if bytes == 0 {
		return "memory not measured"
	}
	return fmt.Sprintf("%d MB resident at most", bytes>>20)
}

func (f *Floor) write(b *strings.Builder) {
	title(b, "floor", "%d bare messages, rows of %d bytes, and mails of %d bytes", f.N, rowBytes, f.MailBytes)
	rates(b, row{"JetStream publish", f.JetStream}, row{"PostgreSQL upsert", f.PostgreSQL}, row{"SMTP dialogue", f.SMTP})
	fmt.Fprintf(b, "  all three, one after the other: %.0f/s\n", f.PerSecond)
}

func title(b *strings.Builder, name, format string, args ...any) {
	fmt.Fprintf(b, "\n%s: %s\n", name, fmt.Sprintf(format, args...))
}

type row struct {
	name string
	rate Rate
}

func rates(b *strings.Builder, rows ...row) {
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "  \trate\ttook\tp50\tp99\tCPU s/1,000\tPostgreSQL CPU s/1,000\tpercentiles of a")
	for _, r := range rows {
		p50, p99 := "-", "-"
		if r.rate.Of != "" {
			p50, p99 = fmt.Sprintf("%.2f ms", r.rate.P50), fmt.Sprintf("%.2f ms", r.rate.P99)
		}
		postgres := "-"
		switch {
		case r.rate.PostgreSQLCPU != nil:
			postgres = fmt.Sprintf("%.3f", *r.rate.PostgreSQLCPU)
		case r.rate.stored:
			postgres = "not measured"
		}
		_, _ = fmt.Fprintf(t, "  %s\t%.0f/s\t%.2f s\t%s\t%s\t%.3f\t%s\t%s\n",
			r.name, r.rate.PerSecond, r.rate.Seconds, p50, p99, r.rate.CPU, postgres, r.rate.Of)
	}
	_ = t.Flush() // into memory
}

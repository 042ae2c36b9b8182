package templates

import (
	"testing"

	"desist/takedown"
)

// BenchmarkRender shows renders per second of the longest notice, the German
// one with the English version below.
func BenchmarkRender(b *testing.B) {
	lib := load(b)
	req := Sample(takedown.NoticeReminder, takedown.RoleHost, takedown.ClassPhishing, now)
	req.Party.Country = "DE"
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := lib.Render(req); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "renders/s")
}

package simnet

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
)

// bootstrap builds IANA's five registries (RFC 9224 sections 3 to 5, RFC 8521)
// for this world.
func (n *Net) bootstrap() map[string][]byte {
	byURL := func(keys map[string][]string) [][][]string {
		servers := make([]string, 0, len(keys))
		for s := range keys {
			servers = append(servers, s)
		}
		slices.Sort(servers)
		out := [][][]string{}
		for _, s := range servers {
			slices.Sort(keys[s])
			out = append(out, [][]string{slices.Compact(keys[s]), {n.RDAPURL(s)}})
		}
		return out
	}
	names, v4, v6, asn := map[string][]string{}, map[string][]string{}, map[string][]string{}, map[string][]string{}
	for _, r := range n.world.Registries {
		if !r.NoRDAP {
			names[r.Name] = append(names[r.Name], r.TLDs...)
		}
	}
	for _, w := range n.world.Networks {
		for _, p := range w.Prefixes {
			if p.Addr().Is4() {
				v4[w.RIR] = append(v4[w.RIR], p.String())
			} else {
				v6[w.RIR] = append(v6[w.RIR], p.String())
			}
		}
		number := strconv.FormatUint(uint64(w.ASN), 10)
		asn[w.RIR] = append(asn[w.RIR], number+"-"+number)
	}
	if n.world.foreign {
		for _, s := range n.world.Sites {
			for _, a := range s.Addresses {
				if documentation(a) || !public(a) {
					continue
				}
				block, rir := foreignBlock(a).String(), foreignRIR(a)
				if a.Is4() {
					v4[rir] = append(v4[rir], block)
				} else {
					v6[rir] = append(v6[rir], block)
				}
			}
		}
	}
	files := map[string][]byte{}
	for name, services := range map[string]any{
		"dns.json": byURL(names), "ipv4.json": byURL(v4), "ipv6.json": byURL(v6), "asn.json": byURL(asn),
		"object-tags.json": [][][]string{{{"simnet@example.org"}, {"SIM"}, {n.RDAPURL("ripe")}}},
	} {
		body, err := json.MarshalIndent(object{
			"version": "1.0", "publication": n.world.Epoch.UTC().Format("2006-01-02T15:04:05Z"),
			"description": "RDAP bootstrap file of a simulated internet", "services": services,
		}, "", "  ")
		if err != nil { // maps of strings always encode
			continue
		}
		files[name] = body
	}
	return files
}

func (n *Net) serveBootstrap(rw http.ResponseWriter, req *http.Request) {
	body, ok := n.bootstrap()[req.PathValue("file")]
	if !ok {
		http.NotFound(rw, req)
		return
	}
	rw.Header().Set("Content-Type", "application/json")
	_, _ = rw.Write(body) // a client that went away is its own business
}

// WriteBootstrap writes the five files into a folder, which it makes.
func (n *Net) WriteBootstrap(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("simnet: write bootstrap: %w", err)
	}
	for name, body := range n.bootstrap() {
		if err := os.WriteFile(filepath.Join(dir, name), body, 0o644); err != nil {
			return fmt.Errorf("simnet: write bootstrap: %w", err)
		}
	}
	return nil
}

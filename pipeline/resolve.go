package pipeline

import (
	"maps"
	"slices"
	"strings"
)

// Resolve looks up the secrets of the pipelines' models (lookup is usually
// os.LookupEnv) and puts them where only Text.Reveal shows them. The error is a
// Problems that names each variable that is not set and where it is wanted.
func Resolve(pipelines []*Pipeline, lookup func(string) (string, bool)) error {
	var problems Problems
	var files []string
	for _, p := range pipelines {
		files = append(files, p.File)
		for _, m := range p.Models {
			m.resolve(lookup, &problems)
		}
	}
	if len(problems) > 0 {
		return problems.sorted(files)
	}
	return nil
}

func (m *ModelSpec) resolve(lookup func(string) (string, bool), problems *Problems) {
	resolve := func(t *Text) {
		var unknown []string
		*t, unknown = t.resolve(lookup)
		for _, name := range unknown {
			problems.addf(t.Pos, "the environment variable %s is not set, which model %s wants for %s", name, m.Name, quote(strings.TrimSpace(t.raw)))
		}
	}
	resolve(&m.URL)
	for i := range m.Command {
		resolve(&m.Command[i])
	}
	for _, texts := range []map[string]Text{m.Headers, m.Env} {
		for _, k := range slices.Sorted(maps.Keys(texts)) {
			t := texts[k]
			resolve(&t)
			texts[k] = t
		}
	}
}

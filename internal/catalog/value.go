package catalog

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// value is a config's text after parsing; which field counts, its type says.
type value struct {
	text   string
	number int64
	float  float64
	flag   bool
	list   []string
}

// parse reads text as the config's type, as Kafka does: blanks around a value do
// not count, booleans are true or false in any case.
func (d *Def) parse(text string) (value, error) {
	bad := func(what string) (value, error) {
		return value{}, Refuse(kerr.InvalidConfig, "Invalid value %s for configuration %s: %s", text, d.Name, what)
	}
	v := value{text: strings.TrimSpace(text)}
	var err error
	switch d.Type {
	case Int, Short, Long:
		bits := map[kmsg.ConfigType]int{Int: 32, Short: 16, Long: 64}[d.Type]
		if v.number, err = strconv.ParseInt(v.text, 10, bits); err != nil {
			return bad("Not a number of type " + typeName(d))
		}
		v.float = float64(v.number)
	case Double:
		if v.float, err = strconv.ParseFloat(v.text, 64); err != nil || math.IsNaN(v.float) {
			return bad("Not a number of type DOUBLE")
		}
	case Boolean:
		switch strings.ToLower(v.text) {
		case "true":
			v.flag = true
		case "false":
		default:
			return bad("Expected value to be either true or false")
		}
	case List:
		v.list = splitList(v.text)
	}
	if d.check != nil {
		if why := d.check(v); why != "" {
			return bad(why)
		}
	}
	return v, nil
}

func typeName(d *Def) string {
	switch d.Type {
	case Int:
		return "INT"
	case Short:
		return "SHORT"
	}
	return "LONG"
}

// splitList splits at commas and drops blanks; the empty text is the empty list,
// which is not nil.
func splitList(text string) []string {
	if strings.TrimSpace(text) == "" {
		return []string{}
	}
	list := strings.Split(text, ",")
	for i := range list {
		list[i] = strings.TrimSpace(list[i])
	}
	return list
}

func atLeast(low float64) func(value) string {
	return func(v value) string {
		if v.float < low {
			return fmt.Sprintf("Value must be at least %.0f", low)
		}
		return ""
	}
}

func between(low, high float64) func(value) string {
	return func(v value) string {
		if v.float > high {
			return fmt.Sprintf("Value must be no more than %.0f", high)
		}
		return atLeast(low)(v)
	}
}

// oneOf holds for a string, or every item of a list; a list may be empty
// (cleanup.policy: no cleanup at all, KIP-1161).
func oneOf(allowed ...string) func(value) string {
	set := nameSet(strings.Join(allowed, " "))
	return func(v value) string {
		list := v.list
		if list == nil {
			list = []string{v.text}
		}
		for _, s := range list {
			if !set[s] {
				return "String must be one of: " + strings.Join(allowed, ", ")
			}
		}
		return ""
	}
}

// anyCase is a check that does not tell A from a.
func anyCase(check func(value) string) func(value) string {
	return func(v value) string {
		v.text = strings.ToLower(v.text)
		return check(v)
	}
}

// someOf is oneOf for a list that must not be empty or name a thing twice.
func someOf(allowed ...string) func(value) string {
	inSet := oneOf(allowed...)
	return func(v value) string {
		seen := map[string]bool{}
		for _, s := range v.list {
			if seen[s] {
				return "Configuration contains duplicate values."
			}
			seen[s] = true
		}
		if len(seen) == 0 {
			return "Configuration must not be empty."
		}
		return inSet(v)
	}
}

func gzipLevel(v value) string {
	if v.number != -1 && (v.number < 1 || v.number > 9) {
		return "Value must be between 1 and 9 or equal to -1"
	}
	return ""
}

// throttledReplicas is "*" or a list of partition:broker.
func throttledReplicas(v value) string {
	if v.text == "*" {
		return ""
	}
	for _, pair := range v.list {
		p, b, ok := strings.Cut(pair, ":")
		if _, err := strconv.ParseUint(p, 10, 31); err != nil || !ok {
			return throttledForm
		}
		if _, err := strconv.ParseUint(b, 10, 31); err != nil {
			return throttledForm
		}
	}
	return ""
}

const throttledForm = "must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],..."

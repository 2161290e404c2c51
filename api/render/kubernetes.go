package render

import (
	"fmt"
	"reflect"
	"strings"
)

// integer reads what templates have for a number.
func integer(v any, least int64) (int64, error) {
	rv := reflect.ValueOf(v)
	if v == nil || !rv.CanInt() {
		return 0, fmt.Errorf("want an integer, got %s", describe(v))
	}
	if rv.Int() < least {
		return 0, fmt.Errorf("%d is less than %d", rv.Int(), least)
	}
	return rv.Int(), nil
}

// kubeReserveCPU gives 60m for the first CPU, 10m for the second, 5m each for
// the next two, and 2.5m for each further one (variants.md 5.4).
func kubeReserveCPU(cpus any) (string, error) {
	n, err := integer(cpus, 1)
	if err != nil {
		return "", err
	}
	tenths := []int64{0, 600, 700, 750, 800}[min(n, 4)] + 25*max(n-4, 0)
	return fmt.Sprintf("%dm", tenths/10), nil
}

func kubeReserveMemory(pods any) (string, error) {
	n, err := integer(pods, 0)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%dMi", 11*n+255), nil
}

func nodeLabels(m any) (string, error) { return joinMap("=", ",", m) }

// nodeTaints joins settings.kubernetes.node-taints, whose lists hold values
// with effects.
func nodeTaints(m any) (string, error) {
	table, err := tableOrNothing(m)
	if err != nil {
		return "", err
	}
	var out []string
	for _, name := range names(table) {
		taints, err := listOrNothing(table[name])
		if err != nil {
			return "", fmt.Errorf("taints of %s: %w", name, err)
		}
		for _, t := range taints {
			text, err := single(t)
			if err != nil {
				return "", fmt.Errorf("taints of %s: %w", name, err)
			}
			if strings.ContainsAny(name+text, ",=") || strings.Count(text, ":") != 1 {
				return "", unfit(name+"="+text, "%s is no taint")
			}
			out = append(out, name+"="+text)
		}
	}
	return strings.Join(out, ","), nil
}

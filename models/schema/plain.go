package schema

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"

	"github.com/bulkhead-os/bulkhead/models/report"
	"github.com/bulkhead-os/bulkhead/models/syntax"
)

func boolCodec(c *codec) {
	c.types = []string{"boolean"}
	c.decode = func(n *syntax.Node, v reflect.Value, p place) bool {
		if n.Kind != syntax.Bool {
			return p.wrongType(n, "true or false without quotes")
		}
		v.SetBool(n.Text == "true")
		return true
	}
	c.encode = func(dst []byte, v reflect.Value) []byte { return strconv.AppendBool(dst, v.Bool()) }
}

func intCodec(c *codec) {
	c.types = []string{"integer"}
	bits := c.typ.Bits()
	lo, hi := int64(-1)<<(bits-1), int64(1)<<(bits-1)-1
	c.rule.Min, c.rule.Max = &lo, &hi
	c.decode = func(n *syntax.Node, v reflect.Value, p place) bool {
		if n.Kind != syntax.Integer {
			return p.wrongType(n, "an integer")
		}
		i, ok := n.Int()
		if !ok || v.OverflowInt(i) {
			return p.fault(report.InvalidValue, n, n.Describe()+" is out of range", fmt.Sprintf("want %d to %d", lo, hi))
		}
		v.SetInt(i)
		return true
	}
	c.encode = func(dst []byte, v reflect.Value) []byte { return strconv.AppendInt(dst, v.Int(), 10) }
}

func uintCodec(c *codec) {
	c.types = []string{"integer"}
	lo, hi := int64(0), int64(1)<<c.typ.Bits()-1
	c.rule.Min, c.rule.Max = &lo, &hi
	c.decode = func(n *syntax.Node, v reflect.Value, p place) bool {
		if n.Kind != syntax.Integer {
			return p.wrongType(n, "an integer")
		}
		i, ok := n.Int()
		if !ok || i < lo || i > hi {
			return p.fault(report.InvalidValue, n, n.Describe()+" is out of range", fmt.Sprintf("want %d to %d", lo, hi))
		}
		v.SetUint(uint64(i))
		return true
	}
	c.encode = func(dst []byte, v reflect.Value) []byte { return strconv.AppendUint(dst, v.Uint(), 10) }
}

func floatCodec(c *codec) {
	c.types = []string{"number"}
	c.decode = func(n *syntax.Node, v reflect.Value, p place) bool {
		if n.Kind != syntax.Float && n.Kind != syntax.Integer {
			return p.wrongType(n, "a number")
		}
		f, err := strconv.ParseFloat(n.Text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return p.fault(report.InvalidValue, n, n.Describe()+" is not a finite number", "")
		}
		v.SetFloat(f)
		return true
	}
	c.encode = func(dst []byte, v reflect.Value) []byte { return strconv.AppendFloat(dst, v.Float(), 'f', -1, 64) }
}

// stringCodec is for free text and for enumerations, whose values are words.
func stringCodec(c *codec) {
	c.types = []string{"string"}
	c.decode = func(n *syntax.Node, v reflect.Value, p place) bool {
		if n.Kind != syntax.String {
			return p.wrongType(n, "a string")
		}
		s := n.Text
		if canonical, ok := c.rule.Aliases[s]; ok {
			s = canonical
		}
		if len(c.rule.Enum) > 0 && !slices.Contains(c.rule.Enum, s) {
			return p.invalid(n, fmt.Errorf("%s %s is not known", c.rule.Name, n.Describe()), c.rule)
		}
		v.SetString(s)
		return true
	}
	c.encode = func(dst []byte, v reflect.Value) []byte { return appendString(dst, v.String()) }
}

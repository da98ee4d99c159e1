package v2

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/leatdev/leat/internal/models/jsonvalue"
)

// flat is one record's value of one tensor: its elements as JSON, row-major
// and separated by commas, and its shape.
type flat struct {
	data  []byte
	shape []int
	count int
}

// integers are the bounds of the integer datatypes as float64 can say them:
// values lie in [min, limit).
var integers = map[string]struct{ min, limit float64 }{
	"UINT8": {0, 1 << 8}, "UINT16": {0, 1 << 16}, "UINT32": {0, 1 << 32}, "UINT64": {0, 1 << 64},
	"INT8": {-1 << 7, 1 << 7}, "INT16": {-1 << 15, 1 << 15}, "INT32": {-1 << 31, 1 << 31}, "INT64": {-1 << 63, 1 << 63},
}

// floats are the largest finite values of the floating-point datatypes.
var floats = map[string]float64{"FP16": 65504, "FP32": math.MaxFloat32, "FP64": math.MaxFloat64}

func (t Input) check() error {
	_, isInt := integers[t.Datatype]
	_, isFloat := floats[t.Datatype]
	switch {
	case t.Name == "":
		return errors.New("inputs: one has no name; give the tensor's name in the model's signature")
	case !isInt && !isFloat && t.Datatype != "BOOL" && t.Datatype != "BYTES":
		return fmt.Errorf("inputs: %s has the datatype %q; use BOOL, UINT8..64, INT8..64, FP16, FP32, FP64 or BYTES", t.Name, t.Datatype)
	case t.Value == nil:
		return fmt.Errorf("inputs: %s has no value; say where in the record it is, such as value.text", t.Name)
	}
	open := 0
	for _, d := range t.Shape {
		if d == -1 {
			open++
		} else if d < 1 {
			return fmt.Errorf("inputs: %s has the shape %v; dimensions are 1 and more, or -1", t.Name, t.Shape)
		}
	}
	if open > 1 {
		return fmt.Errorf("inputs: %s has the shape %v; only one dimension can be -1", t.Name, t.Shape)
	}
	return nil
}

// flatten makes a record's value an element list of the declared shape.
func (t Input) flatten(value any) (flat, error) {
	var f flat
	if err := t.walk(&f, reflect.ValueOf(value), 0, true); err != nil {
		return f, err
	}
	if t.Shape == nil {
		return f, nil
	}
	shape, known := slices.Clone(t.Shape), 1
	for _, d := range shape {
		if d > 0 {
			known *= d
		}
	}
	if i := slices.Index(shape, -1); i >= 0 && f.count%known == 0 {
		shape[i] = f.count / known
		known = f.count
	}
	if f.count != known {
		return f, fmt.Errorf("the value has %d elements (shape %v), which do not fit the declared shape %v", f.count, f.shape, t.Shape)
	}
	f.shape = shape
	return f, nil
}

// walk appends v's elements. first is set on the way down the first element of
// every list, which decides the shape that the others must have, too.
func (t Input) walk(f *flat, v reflect.Value, depth int, first bool) error {
	for v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	isList := v.Kind() == reflect.Slice || v.Kind() == reflect.Array
	if t.Datatype == "BYTES" && v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8 {
		isList = false // a text, not a list of numbers
	}
	if isList != (depth < len(f.shape)) && !first || isList && !first && v.Len() != f.shape[depth] {
		return errors.New("its lists are of different lengths; a tensor is rectangular")
	}
	if !isList {
		if f.count > 0 {
			f.data = append(f.data, ',')
		}
		f.count++
		var err error
		f.data, err = t.element(f.data, v)
		return err
	}
	if first {
		f.shape = append(f.shape, v.Len())
	}
	for i := range v.Len() {
		if err := t.walk(f, v.Index(i), depth+1, first && i == 0); err != nil {
			return err
		}
	}
	return nil
}

func (t Input) element(dst []byte, v reflect.Value) ([]byte, error) {
	switch {
	case t.Datatype == "BYTES":
		return t.text(dst, v)
	case t.Datatype == "BOOL":
		if v.Kind() != reflect.Bool {
			return nil, fmt.Errorf("datatype BOOL takes true or false, not %s", kindOf(v))
		}
		return strconv.AppendBool(dst, v.Bool()), nil
	case v.CanFloat():
		return t.number(dst, v.Float(), func(dst []byte) []byte { return strconv.AppendFloat(dst, v.Float(), 'f', -1, 64) })
	case v.CanInt():
		return t.number(dst, float64(v.Int()), func(dst []byte) []byte { return strconv.AppendInt(dst, v.Int(), 10) })
	case v.CanUint():
		return t.number(dst, float64(v.Uint()), func(dst []byte) []byte { return strconv.AppendUint(dst, v.Uint(), 10) })
	}
	return nil, fmt.Errorf("datatype %s takes numbers, not %s", t.Datatype, kindOf(v))
}

// number checks n against the datatype's range. write writes it exactly: as a
// float64, integers above 2^53 are rounded.
func (t Input) number(dst []byte, n float64, write func([]byte) []byte) ([]byte, error) {
	if r, ok := integers[t.Datatype]; ok {
		if n != math.Trunc(n) || math.IsInf(n, 0) {
			return nil, fmt.Errorf("datatype %s takes whole numbers, not %v; use round() or an FP type", t.Datatype, n)
		}
		if n < r.min || n >= r.limit {
			return nil, fmt.Errorf("%v is out of the range of datatype %s", n, t.Datatype)
		}
		return write(dst), nil
	}
	if math.IsNaN(n) || math.Abs(n) > floats[t.Datatype] {
		return nil, fmt.Errorf("%v is out of the range of datatype %s, or not a number that JSON can carry", n, t.Datatype)
	}
	if math.Abs(n) >= 1e21 || n != 0 && math.Abs(n) < 1e-6 {
		return strconv.AppendFloat(dst, n, 'e', -1, 64), nil
	}
	return write(dst), nil
}

func (t Input) text(dst []byte, v reflect.Value) ([]byte, error) {
	var s string
	switch {
	case v.Kind() == reflect.String:
		s = v.String()
	case v.Kind() == reflect.Slice: // of bytes, says walk
		s = string(v.Bytes())
	default:
		return nil, fmt.Errorf("datatype BYTES takes text, not %s; use string(...) or toJSON(...)", kindOf(v))
	}
	if !utf8.ValidString(s) {
		return nil, errors.New("the bytes are not UTF-8, which JSON cannot carry; use toBase64(...) if the model decodes that")
	}
	quoted, err := jsonvalue.Encode(s)
	return append(dst, quoted...), err
}

func kindOf(v reflect.Value) string {
	switch {
	case !v.IsValid():
		return "null"
	case v.Kind() == reflect.Map || v.Kind() == reflect.Struct:
		return "an object"
	case v.Kind() == reflect.String:
		return "text"
	case v.Kind() == reflect.Bool:
		return "a boolean"
	case v.CanFloat() || v.CanInt() || v.CanUint():
		return "a number"
	}
	return "a " + v.Type().String()
}

// appendTensor writes the i-th tensor of a request: all rows, with the batch dimension first.
func (t Input) appendTensor(body []byte, rows []row, i int) []byte {
	name, _ := json.Marshal(t.Name) // a string
	shape := append([]int{len(rows)}, rows[0].tensors[i].shape...)
	body = append(append(body, `{"name":`...), name...)
	body = append(append(body, `,"datatype":"`+t.Datatype+`","shape":`...), shapeText(shape)...)
	body = append(body, `,"data":[`...)
	for j, r := range rows {
		if j > 0 && r.tensors[i].count > 0 {
			body = append(body, ',')
		}
		body = append(body, r.tensors[i].data...)
	}
	return append(body, "]}"...)
}

func shapeText(shape []int) string {
	parts := make([]string, len(shape))
	for i, d := range shape {
		parts[i] = strconv.Itoa(d)
	}
	return "[" + strings.Join(parts, ",") + "]"
}

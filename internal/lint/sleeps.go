package lint

import (
	"go/ast"
)

// sleeps finds time.Sleep in tests: a test waits for what it waits for. In the
// fake time of testing/synctest a sleep takes no time and is exact; there, that
// is inside a function given to synctest.Test, or to a helper of the same
// folder that calls it, sleeping is allowed.
func sleeps(t *tree) []finding {
	var found []finding
	bubbles := bubbleHelpers(t)
	for _, f := range t.files {
		zeit, fake := localName(f, "time"), localName(f, "testing/synctest")
		if !f.test() || zeit == "" {
			continue
		}
		visit := func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.CallExpr:
				if selects(n.Fun, fake, "Test") || bubbles[f.room()+"."+callee(n)] {
					return false // everything in its arguments runs in fake time
				}
			case *ast.SelectorExpr:
				if selects(n, zeit, "Sleep") {
					found = append(found, finding{f.path, t.line(n),
						"time.Sleep: a test waits for a channel, a condition or the fake time of testing/synctest, not for a while"})
				}
			}
			return true
		}
		ast.Inspect(f.ast, visit)
	}
	return found
}

// bubbleHelpers are the functions of tests, as folder.name, that call synctest.Test.
func bubbleHelpers(t *tree) map[string]bool {
	helpers := map[string]bool{}
	for _, f := range t.files {
		fake := localName(f, "testing/synctest")
		if !f.test() || fake == "" {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || fn.Body == nil {
				continue
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				if c, ok := n.(*ast.CallExpr); ok && selects(c.Fun, fake, "Test") {
					helpers[f.room()+"."+fn.Name.Name] = true
				}
				return true
			})
		}
	}
	return helpers
}

// callee is the name of the function of the same package that c calls; "" else.
func callee(c *ast.CallExpr) string {
	if id, ok := c.Fun.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// selects tells whether x is pkg.name.
func selects(x ast.Expr, pkg, name string) bool {
	s, ok := x.(*ast.SelectorExpr)
	if !ok || pkg == "" {
		return false
	}
	id, ok := s.X.(*ast.Ident)
	return ok && id.Name == pkg && s.Sel.Name == name
}

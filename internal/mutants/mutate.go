package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
)

// operators are what a binary or assignment operator becomes. The edge of a
// comparison moves; equality and everything else turns into its opposite.
var operators = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
	token.ADD_ASSIGN: token.SUB_ASSIGN, token.SUB_ASSIGN: token.ADD_ASSIGN,
	token.INC: token.DEC, token.DEC: token.INC,
}

// messages are functions whose arguments are words for people.
var messages = []string{"errors.New", "fmt.Errorf", "panic"}

// capacities are functions whose arguments only save work.
var capacities = []string{"slices.Grow", "runtime.KeepAlive"}

// mutants returns every change that is tried of a file, in the order of the
// source. Some of them do not compile.
func mutants(pkg, file string, source []byte) ([]mutant, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(parsed) {
		return nil, err
	}
	c := collector{set: set, proto: mutant{pkg: pkg, file: file, source: source}}
	for _, d := range parsed.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			c.proto.fn = funcName(d)
			if d.Body != nil && d.Name.Name != "Error" {
				ast.Inspect(d.Body, c.visit)
			}
		case *ast.GenDecl:
			if d.Tok == token.VAR || d.Tok == token.CONST {
				for _, spec := range d.Specs {
					c.proto.fn = spec.(*ast.ValueSpec).Names[0].Name
					ast.Inspect(spec, c.visit)
				}
			}
		}
	}
	slices.SortStableFunc(c.found, func(a, b mutant) int { return a.start - b.start })
	number(c.found)
	return c.found, nil
}

func funcName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	on := d.Recv.List[0].Type
	for {
		switch t := on.(type) {
		case *ast.StarExpr:
			on = t.X
		case *ast.IndexExpr:
			on = t.X
		case *ast.IndexListExpr:
			on = t.X
		case *ast.Ident:
			return t.Name + "." + d.Name.Name
		default:
			return d.Name.Name
		}
	}
}

// A collector gathers the changes of one file.
type collector struct {
	set   *token.FileSet
	proto mutant // with the function that is looked at
	found []mutant
}

// visit adds the changes of one node and reports whether to look into it.
func (c *collector) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryExpr:
		if to, ok := operators[n.Op]; ok && !(n.Op == token.ADD && isText(n)) {
			c.operator(n.OpPos, n.Op, to)
		}
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			c.replace("dropped !", n.Pos(), n.X.Pos(), "")
		}
	case *ast.BasicLit:
		if i, err := strconv.ParseInt(n.Value, 0, 64); n.Kind == token.INT && err == nil {
			c.replace("constant", n.Pos(), n.End(), strconv.FormatInt(i+1, 10))
		}
	case *ast.Ident:
		switch n.Name {
		case "true":
			c.replace("boolean", n.Pos(), n.End(), "false")
		case "false":
			c.replace("boolean", n.Pos(), n.End(), "true")
		}
	case *ast.IfStmt:
		c.condition(n)
	case *ast.ForStmt:
		// Only the edges of a loop: one that runs backwards never ends.
		if n.Cond != nil {
			ast.Inspect(n.Cond, c.visit)
		}
		ast.Inspect(n.Body, c.visit)
		return false
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && !isCallOf(call, messages) && !isCallOf(call, capacities) {
			c.drop("dropped call", n)
		}
	case *ast.DeferStmt:
		if _, closure := n.Call.Fun.(*ast.FuncLit); !closure {
			c.drop("dropped defer", n)
		}
	case *ast.AssignStmt:
		if to, ok := operators[n.Tok]; ok {
			c.operator(n.TokPos, n.Tok, to)
		}
		if n.Tok != token.DEFINE && !discards(n) {
			c.drop("dropped assignment", n)
		}
	case *ast.IncDecStmt:
		c.operator(n.TokPos, n.Tok, operators[n.Tok])
		c.drop("dropped assignment", n)
	case *ast.CallExpr:
		if isCallOf(n, messages) || isCallOf(n, capacities) {
			return false
		}
		if id, ok := n.Fun.(*ast.Ident); ok && id.Name == "make" {
			for _, arg := range n.Args[:min(2, len(n.Args))] { // not the capacity
				ast.Inspect(arg, c.visit)
			}
			return false
		}
	}
	return true
}

// condition turns the condition of an if around, and drops a guard: a body that
// leaves the function or the round of the loop.
func (c *collector) condition(n *ast.IfStmt) {
	cond := c.text(n.Cond)
	c.replace("negated condition", n.Cond.Pos(), n.Cond.End(), "!("+cond+")")
	if n.Else != nil || len(n.Body.List) == 0 {
		return
	}
	switch n.Body.List[len(n.Body.List)-1].(type) {
	case *ast.ReturnStmt, *ast.BranchStmt:
		c.replace("removed guard", n.Cond.Pos(), n.Cond.End(), "false && ("+cond+")")
	}
}

func (c *collector) operator(at token.Pos, from, to token.Token) {
	c.replace("operator", at, at+token.Pos(len(from.String())), to.String())
}

func (c *collector) drop(kind string, n ast.Node) { c.replace(kind, n.Pos(), n.End(), "") }

func (c *collector) replace(kind string, start, end token.Pos, with string) {
	m := c.proto
	m.kind, m.with = kind, with
	m.start, m.end = c.offset(start), c.offset(end)
	c.found = append(c.found, m)
}

func (c *collector) offset(p token.Pos) int { return c.set.PositionFor(p, false).Offset }

func (c *collector) text(n ast.Node) string {
	return string(c.proto.source[c.offset(n.Pos()):c.offset(n.End())])
}

// isText tells a string that is being put together, where + has no opposite.
func isText(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Kind == token.STRING
	case *ast.BinaryExpr:
		return e.Op == token.ADD && (isText(e.X) || isText(e.Y))
	}
	return false
}

func isCallOf(call *ast.CallExpr, names []string) bool {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return slices.Contains(names, f.Name)
	case *ast.SelectorExpr:
		pkg, ok := f.X.(*ast.Ident)
		return ok && slices.Contains(names, pkg.Name+"."+f.Sel.Name)
	}
	return false
}

// discards tells an assignment to nothing but _.
func discards(n *ast.AssignStmt) bool {
	return !slices.ContainsFunc(n.Lhs, func(e ast.Expr) bool {
		id, ok := e.(*ast.Ident)
		return !ok || id.Name != "_"
	})
}

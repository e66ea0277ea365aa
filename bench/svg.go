package main

import (
	"fmt"
	"html"
	"strings"
)

// bar is one bar of the picture: a peer, or the best of its variants.
type bar struct {
	label string
	peers []string
}

// bars are the rows of each group, from the top. Hand-written code is the line
// at 1.
var bars = []bar{
	{"dbfleet", []string{ours}},
	{"pgx", []string{"pgx"}},
	{"sqlx", []string{"sqlx"}},
	{"squirrel", []string{"squirrel"}},
	{"GORM, its best way", []string{"gorm", "gorm_prepared", "gorm_generics", "gorm_generics_prepared"}},
	{"Bun", []string{"bun"}},
	{"XORM", []string{"xorm"}},
	{"ent", []string{"ent"}},
	{"bob", []string{"bob"}},
}

// Lengths are in pixels.
const (
	svgMargin    = 16
	svgLabels    = 112 // for the operations' names
	svgPanel     = 250 // for a database
	svgGap       = 30
	svgTop       = 86
	svgBarHeight = 8
	svgBetween   = 12  // two operations
	svgLongest   = 3.0 // ratio
)

var pictured = []string{"sqlite", "postgres", "mariadb"}

// operation names as people say them.
var spoken = map[Operation]string{
	Insert: "insert one", InsertMany: "insert 100", Update: "update one", Read: "read one", ReadParallel: "read in parallel",
	ReadRouted: "read, two replicas", ReadMany: "read 100", Eager: "100 parents × 5", Scan: "scan 10,000", Load: "load 10,000",
}

// svgGroup is one operation: where it begins, and the bars of each database.
type svgGroup struct {
	op    Operation
	top   int
	drawn map[string][]svgBar
}

type svgBar struct {
	index int // of bars
	ratio float64
}

// groups lays the operations out from the top, each as high as its longest list
// of bars, and returns where they end.
func (r *Report) groups() (groups []svgGroup, bottom int) {
	top := svgTop
	for _, op := range Operations {
		if op == Build { // it asks no database
			continue
		}
		g := svgGroup{op: op, top: top, drawn: map[string][]svgBar{}}
		high := 0
		for _, database := range pictured {
			for i, b := range bars {
				if ratio, ok := r.best(database, op, b.peers); ok {
					g.drawn[database] = append(g.drawn[database], svgBar{i, ratio})
				}
			}
			high = max(high, len(g.drawn[database]))
		}
		if high > 0 {
			groups = append(groups, g)
			top += high*svgBarHeight + svgBetween
		}
	}
	return groups, top - svgBetween
}

// best is the smallest ratio of some peers.
func (r *Report) best(database string, op Operation, peers []string) (ratio float64, ok bool) {
	for _, peer := range peers {
		if x := r.find(database, op, peer); x != nil && (!ok || x.Ratio < ratio) {
			ratio, ok = x.Ratio, true
		}
	}
	return ratio, ok
}

// svg draws the databases side by side, a group of bars for each operation. It
// is readable on light and on dark ground.
func (r *Report) svg() string {
	groups, bottom := r.groups()
	width := 2*svgMargin + svgLabels + len(pictured)*svgPanel + (len(pictured)-1)*svgGap
	height := bottom + 48
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Time of database operations, relative to hand-written database/sql">`+"\n", width, height, width, height)
	b.WriteString(svgStyle)
	fmt.Fprintf(&b, `<rect class="ground" width="%d" height="%d" rx="6"/>`+"\n", width, height)
	fmt.Fprintf(&b, `<text class="title" x="%d" y="26">Time relative to hand-written database/sql – shorter is faster</text>`+"\n", svgMargin)
	x := svgMargin
	for i, bar := range bars {
		fmt.Fprintf(&b, `<rect class="p%d" x="%d" y="40" width="10" height="10"/><text x="%d" y="49">%s</text>`+"\n", i, x, x+14, bar.label)
		x += 32 + 6*len(bar.label)
	}
	for i, database := range pictured {
		left := svgMargin + svgLabels + i*(svgPanel+svgGap)
		drawGrid(&b, titles[database], left, bottom)
		for _, g := range groups {
			if i == 0 {
				fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`+"\n", svgMargin, g.top+svgBarHeight+2, spoken[g.op])
			}
			for j, bar := range g.drawn[database] {
				bar.draw(&b, left, g.top+j*svgBarHeight, titles[database]+", "+spoken[g.op])
			}
		}
	}
	fmt.Fprintf(&b, `<text class="small" x="%d" y="%d">%s, %s; medians of up to %d rounds. Bars with an arrow are longer than drawn.</text>`+"\n",
		svgMargin, height-10, html.EscapeString(r.Go), r.When.Format("January 2006"), r.Rounds)
	b.WriteString("</svg>\n")
	return b.String()
}

// svgScale is the length of a ratio.
func svgScale(ratio float64) float64 { return min(ratio, svgLongest) / svgLongest * (svgPanel - 38) }

func drawGrid(b *strings.Builder, title string, left, bottom int) {
	fmt.Fprintf(b, `<text class="head" x="%d" y="%d">%s</text>`+"\n", left, svgTop-12, title)
	for mark := 1; mark <= int(svgLongest); mark++ {
		x := float64(left) + svgScale(float64(mark))
		class, label := "grid", fmt.Sprintf("%d×", mark)
		if mark == 1 {
			class, label = "one", "hand-written"
		}
		fmt.Fprintf(b, `<line class="%s" x1="%.1f" y1="%d" x2="%.1f" y2="%d"/><text class="small" x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			class, x, svgTop-4, x, bottom+4, x, bottom+16, label)
	}
}

// draw draws a bar. title is what a reader sees who points at it.
func (bar svgBar) draw(b *strings.Builder, left, y int, title string) {
	long := svgScale(bar.ratio)
	fmt.Fprintf(b, `<rect class="p%d" x="%d" y="%d" width="%.1f" height="%d"><title>%s, %s: %.2f</title></rect>`,
		bar.index, left, y, long, svgBarHeight-1, title, bars[bar.index].label, bar.ratio)
	class, text := "value", ""
	if bar.index == 0 {
		class, text = "ours", fmt.Sprintf("%.2f", bar.ratio)
	}
	if bar.ratio > svgLongest {
		text = fmt.Sprintf("→ %.1f", bar.ratio)
	}
	if text != "" {
		fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%d">%s</text>`, class, float64(left)+long+3, y+svgBarHeight-1, text)
	}
	b.WriteByte('\n')
}

// svgStyle has two sets of colours; the browser knows which ground it shows.
const svgStyle = `<style>
text { font: 11px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.head { font-size: 13px; font-weight: 600; }
.small { font-size: 9px; fill: #59636e; }
.value { font-size: 8px; fill: #59636e; }
.value, .ours { paint-order: stroke; stroke: #ffffff; stroke-width: 3px; }
.ours { font-size: 10px; font-weight: 700; fill: #b4400a; }
.ground { fill: #ffffff; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.one { stroke: #59636e; stroke-width: 1; stroke-dasharray: 3 2; }
.p0 { fill: #e8590c; }
.p1 { fill: #3b5b8c; } .p2 { fill: #6487b5; } .p3 { fill: #94aed0; }
.p4 { fill: #4d7a6b; } .p5 { fill: #78a395; } .p6 { fill: #a9c7bc; }
.p7 { fill: #7b6a96; } .p8 { fill: #aa9dc0; }
@media (prefers-color-scheme: dark) {
	text { fill: #e6edf3; }
	.small, .value { fill: #9198a1; }
	.ours { fill: #ff9a57; }
	.value, .ours { stroke: #0d1117; }
	.ground { fill: #0d1117; }
	.grid { stroke: #30363d; }
	.one { stroke: #9198a1; }
	.p0 { fill: #ff7b29; }
	.p1 { fill: #6f93c9; } .p2 { fill: #55779f; } .p3 { fill: #3f5878; }
	.p4 { fill: #6fae9a; } .p5 { fill: #548374; } .p6 { fill: #3d6054; }
	.p7 { fill: #a693c7; } .p8 { fill: #7a6c94; }
}
</style>
`

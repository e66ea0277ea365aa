package dbfleet

import "time"

// pauses notices when this program did not run for a while: how long reads seem to have waited
// then says nothing of the nodes, whose answers may be there, and not looked at.
type pauses struct {
	due   time.Time // when the monitor should run next at the latest
	until time.Time // until when those who wait for answers have time to look
	row   int       // pauses in a row
}

// recent says whether the program, which runs now, did not until a moment ago. Where that
// goes on, the nodes are judged all the same.
func (p *pauses) recent(now time.Time) bool {
	if !p.due.IsZero() && now.Sub(p.due) > lookEvery && p.row < maxStarved {
		p.row++
		p.until = now.Add(lookEvery)
	}
	if now.Before(p.until) {
		return true
	}
	p.row = 0
	return false
}

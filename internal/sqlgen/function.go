package sqlgen

// Function is a function of SQL.
type Function uint8

// The functions.
const (
	NoFunction Function = iota
	LowerText
	UpperText
	TrimText
	CharLength // in characters
	CountRows
	SumOf
	MinOf
	MaxOf
	MeanOf // a mean as a float of double precision on every database
	averageOf
	RowNumber
	Rank
	DenseRank
	Lag
	Lead
	FirstValue
	LastValue
	sqliteLength
)

var functionNames = [...]string{
	LowerText: "LOWER(", UpperText: "UPPER(", TrimText: "TRIM(", CharLength: "CHAR_LENGTH(", sqliteLength: "LENGTH(",
	CountRows: "COUNT(", SumOf: "SUM(", MinOf: "MIN(", MaxOf: "MAX(", averageOf: "AVG(",
	RowNumber: "ROW_NUMBER(", Rank: "RANK(", DenseRank: "DENSE_RANK(", Lag: "LAG(", Lead: "LEAD(", FirstValue: "FIRST_VALUE(", LastValue: "LAST_VALUE(",
}

// call writes a function's name and the parenthesis behind it.
func (r *renderer) call(f Function) { r.str(functionNames[f]) }

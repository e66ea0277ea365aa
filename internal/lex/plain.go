package lex

import (
	"strings"

	"github.com/dbfleet/dbfleet/internal/dialect"
)

// PlainRead reports whether a part of a SELECT, or a whole one, is known to read
// and do nothing else: it has no word that begins another statement, takes no
// lock, writes to no variable or file, and calls no function but those that are
// known to be without effect. What is not known is not a plain read.
func PlainRead(text string, d *dialect.Dialect) bool {
	s := New(text, d)
	var before Token
	for {
		t := s.Next()
		switch t.Kind {
		case End:
			return !s.Open()
		case Word:
			if notPlain[strings.ToUpper(t.Text)] && before.Text != "." && !calls(s) {
				return false
			}
			if t.Is("VALUE") && before.Is("NEXT") { // of a sequence
				return false
			}
		case Symbol:
			switch t.Text {
			case ";":
				return false
			case "(":
				if before.Kind == Quoted && !isLiteral(before.Text) || before.Kind == Word && !harmless(before.Text) {
					return false
				}
			case "=":
				if before.Text == ":" { // MySQL's @variable := value
					return false
				}
			}
		}
		before = t
	}
}

// calls says whether an opening bracket follows: REPLACE(…) is a function.
func calls(s Scanner) bool {
	t := s.Next()
	return t.Kind == Symbol && t.Text == "("
}

// isLiteral says whether a quoted token is text, not a name.
func isLiteral(quoted string) bool {
	return strings.HasSuffix(quoted, "'") || strings.HasPrefix(quoted, "$")
}

// harmless says whether what stands before a bracket is a function without effect,
// or no function at all.
func harmless(word string) bool {
	word = strings.ToUpper(word)
	if plainFunctions[word] {
		return true
	}
	for _, prefix := range plainPrefixes {
		if strings.HasPrefix(word, prefix) {
			return true
		}
	}
	return false
}

func words(list ...string) map[string]bool {
	set := map[string]bool{}
	for _, line := range list {
		for w := range strings.FieldsSeq(line) {
			set[w] = true
		}
	}
	return set
}

// notPlain are words that no plain read has.
var notPlain = words(
	"INSERT UPDATE DELETE MERGE REPLACE INTO CREATE ALTER DROP TRUNCATE CALL DO EXECUTE EXEC PREPARE DEALLOCATE GRANT REVOKE",
	"COPY LOAD LOCK UNLOCK SET RESET SHARE VACUUM ANALYZE REINDEX REFRESH CLUSTER NOTIFY LISTEN UNLISTEN DECLARE FETCH MOVE",
	"PRAGMA ATTACH DETACH BEGIN COMMIT ROLLBACK SAVEPOINT RELEASE HANDLER KILL FLUSH OUTFILE DUMPFILE",
)

// plainPrefixes are those of families of functions without effect.
var plainPrefixes = []string{"JSON_", "JSONB_", "ARRAY_", "REGEXP_", "ST_", "DATE_", "TO_", "STRING_", "REGR_", "STDDEV_", "VAR_", "COVAR_", "PERCENTILE_", "INET_", "TS_"}

// plainFunctions are functions without effect of any of the databases, and words
// that may stand before a bracket and are no functions.
var plainFunctions = words(
	// Words of the language, and types with a length.
	"SELECT FROM WHERE AND OR NOT IN ANY ALL SOME EXISTS ON USING AS BY OVER FILTER WITHIN GROUP HAVING JOIN LATERAL VALUES UNION EXCEPT INTERSECT",
	"CASE WHEN THEN ELSE BETWEEN LIKE ILIKE IS DISTINCT LIMIT OFFSET ORDER PARTITION ROWS RANGE GROUPS INTERVAL ARRAY ROW WITH RECURSIVE MATERIALIZED",
	"ESCAPE SIMILAR COLLATE CUBE ROLLUP SETS GROUPING WINDOW",
	"CHAR VARCHAR CHARACTER TEXT BINARY VARBINARY BIT DECIMAL NUMERIC DEC FLOAT DOUBLE REAL INT INTEGER BIGINT SMALLINT TINYINT UNSIGNED SIGNED",
	"TIME TIMESTAMP TIMESTAMPTZ DATETIME DATE BOOLEAN BOOL",
	// Aggregates and windows.
	"COUNT SUM TOTAL AVG MIN MAX BIT_AND BIT_OR BIT_XOR BOOL_AND BOOL_OR EVERY GROUP_CONCAT MODE CORR STDDEV STD VARIANCE MEDIAN ANY_VALUE XMLAGG",
	"ROW_NUMBER RANK DENSE_RANK PERCENT_RANK CUME_DIST NTILE LAG LEAD FIRST_VALUE LAST_VALUE NTH_VALUE",
	// Choices and casts.
	"COALESCE NULLIF IFNULL ISNULL NVL NVL2 IF IIF GREATEST LEAST CAST TRY_CAST CONVERT TYPEOF PG_TYPEOF DECODE ENCODE UNNEST GENERATE_SERIES GENERATE_SUBSCRIPTS",
	"LIKELY UNLIKELY CARDINALITY NUM_NONNULLS NUM_NULLS",
	// Numbers.
	"ABS SIGN CEIL CEILING FLOOR ROUND TRUNC TRUNCATE MOD DIV POWER POW SQRT CBRT EXP LN LOG LOG2 LOG10 PI SIN COS TAN COT ASIN ACOS ATAN ATAN2",
	"SINH COSH TANH DEGREES RADIANS WIDTH_BUCKET GCD LCM FACTORIAL CONV BIN OCT HEX UNHEX CRC32 FORMAT",
	// Text.
	"LENGTH CHAR_LENGTH CHARACTER_LENGTH OCTET_LENGTH BIT_LENGTH LOWER UPPER INITCAP LCASE UCASE TRIM LTRIM RTRIM BTRIM LPAD RPAD LEFT RIGHT",
	"SUBSTR SUBSTRING MID INSTR LOCATE POSITION STRPOS REPLACE TRANSLATE REVERSE REPEAT SPACE CONCAT CONCAT_WS SPLIT_PART SUBSTRING_INDEX ASCII ORD",
	"CHR UNICODE QUOTE QUOTE_IDENT QUOTE_LITERAL QUOTE_NULLABLE PRINTF STARTS_WITH STRCMP FIND_IN_SET FIELD ELT MAKE_SET SOUNDEX OVERLAY",
	"NORMALIZE UNACCENT SIMILARITY WORD_SIMILARITY MD5 SHA1 SHA2 SHA SHA224 SHA256 SHA384 SHA512 DIGEST UUID_EXTRACT_TIMESTAMP BIN_TO_UUID UUID_TO_BIN GLOB MATCH AGAINST",
	// Times.
	"NOW CURRENT_TIMESTAMP CURRENT_TIME CURRENT_DATE LOCALTIME LOCALTIMESTAMP CLOCK_TIMESTAMP STATEMENT_TIMESTAMP TRANSACTION_TIMESTAMP UTC_TIMESTAMP",
	"UTC_DATE UTC_TIME SYSDATE CURDATE CURTIME YEAR QUARTER MONTH WEEK DAY HOUR MINUTE SECOND MICROSECOND DAYOFMONTH DAYOFWEEK DAYOFYEAR DAYNAME",
	"MONTHNAME WEEKDAY WEEKOFYEAR YEARWEEK LAST_DAY ADDDATE SUBDATE ADDTIME SUBTIME DATEDIFF TIMEDIFF TIMESTAMPDIFF TIMESTAMPADD FROM_UNIXTIME",
	"UNIX_TIMESTAMP FROM_DAYS MAKEDATE MAKETIME STR_TO_DATE EXTRACT AGE JUSTIFY_DAYS JUSTIFY_HOURS JUSTIFY_INTERVAL MAKE_DATE MAKE_TIME MAKE_TIMESTAMP",
	"MAKE_TIMESTAMPTZ MAKE_INTERVAL ISFINITE JULIANDAY STRFTIME UNIXEPOCH TIME_FORMAT CONVERT_TZ TIMEZONE",
	// JSON, ranges, networks, search, rows.
	"JSON JSONB ROW_TO_JSON ISEMPTY LOWER_INC UPPER_INC LOWER_INF UPPER_INF INT4RANGE INT8RANGE NUMRANGE TSRANGE TSTZRANGE DATERANGE HOST MASKLEN",
	"NETWORK BROADCAST PLAINTO_TSQUERY PHRASETO_TSQUERY WEBSEARCH_TO_TSQUERY SETWEIGHT VERSION DATABASE SCHEMA CURRENT_DATABASE CURRENT_SCHEMA",
	"CURRENT_SCHEMAS CURRENT_USER SESSION_USER USER CURRENT_SETTING PG_IS_IN_RECOVERY RANDOM RAND UUID GEN_RANDOM_UUID HAS_TABLE_PRIVILEGE OBJ_DESCRIPTION",
	"SUBTYPE POINT BOX CIRCLE LINE PATH POLYGON SQLITE_VERSION CHANGES TOTAL_CHANGES LAST_INSERT_ROWID BM25 HIGHLIGHT SNIPPET",
)

//go:build !dbfleet_no_postgres

package postgres

import (
	"bytes"
	"io"
	"testing"
	"testing/iotest"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/stretchr/testify/require"
)

func encoded(t *testing.T, messages ...pgproto3.FrontendMessage) (b []byte) {
	t.Helper()
	for _, m := range messages {
		var err error
		b, err = m.Encode(b)
		require.NoError(t, err)
	}
	return b
}

// due is an outlet that has a BEGIN to send before what comes next.
func due(w io.Writer) *outlet {
	o := &outlet{w: w}
	o.first.text, o.first.encoded = "BEGIN", plainBegin
	o.first.state.Store(beginDue)
	return o
}

// Whatever pgx sends, and whoever forgets to send BEGIN before it: nothing gets out that the
// server would run by itself.
func TestOutlet_LetsNothingPassBesideABeginThatIsDue(t *testing.T) {
	t.Parallel()
	bind, execute, sync := &pgproto3.Bind{PreparedStatement: "a"}, &pgproto3.Execute{}, &pgproto3.Sync{}
	var wire bytes.Buffer
	for name, p := range map[string][]byte{
		"a text":                 encoded(t, &pgproto3.Query{String: "INSERT INTO t VALUES (1)"}),
		"a text that ends as it": encoded(t, &pgproto3.Query{String: "SELECT 'S\x00\x00\x00\x04"}),
		"no Sync":                encoded(t, bind, execute, &pgproto3.Flush{}),
		"a text behind":          encoded(t, bind, execute, sync, &pgproto3.Query{String: "COMMIT"}),
		"a Sync in between":      encoded(t, bind, execute, sync, bind, execute, sync),
		"a part of a message":    encoded(t, bind, execute, sync)[:len(encoded(t, bind, execute))+3],
		"rows for COPY":          encoded(t, &pgproto3.CopyData{Data: encoded(t, sync)}),
	} {
		n, err := due(&wire).Write(p)
		require.ErrorIs(t, err, errNotBegun, name)
		require.Zero(t, n, name)
		require.Zero(t, wire.Len(), name)
	}

	bye := encoded(t, &pgproto3.Terminate{})
	n, err := due(&wire).Write(bye)
	require.NoError(t, err)
	require.Equal(t, len(bye), n)
	require.Equal(t, bye, wire.Bytes())

	for _, size := range []int{0, 10, maxBoth, 100 * maxBoth} {
		for _, first := range []pgproto3.FrontendMessage{bind, &pgproto3.Parse{Query: "SELECT 1"}, &pgproto3.Close{ObjectType: 'S', Name: "b"}} {
			wire.Reset()
			p := encoded(t, first, &pgproto3.Bind{Parameters: [][]byte{make([]byte, size)}}, execute, sync)
			o := due(&wire)
			n, err := o.Write(p)
			require.NoError(t, err)
			require.Equal(t, len(p), n)
			require.Equal(t, append(bytes.Clone(plainBegin), p...), wire.Bytes())
			require.Equal(t, beginSent, o.first.state.Load())
			wire.Reset()
			_, err = o.Write(p)
			require.NoError(t, err)
			require.Equal(t, p, wire.Bytes(), "once")
		}
	}
}

// short takes so many bytes and then fails.
type short struct{ left int }

func (s *short) Write(p []byte) (int, error) {
	n := min(len(p), s.left)
	if s.left -= n; n < len(p) {
		return n, io.ErrClosedPipe
	}
	return n, nil
}

// pgx says that nothing was sent where no byte of the statement was.
func TestOutlet_TellsHowMuchOfTheStatementIsOut(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 10 * maxBoth} {
		p := encoded(t, &pgproto3.Bind{Parameters: [][]byte{make([]byte, size)}}, &pgproto3.Execute{}, &pgproto3.Sync{})
		for _, left := range []int{0, 1, len(plainBegin) - 1, len(plainBegin), len(plainBegin) + 1, len(plainBegin) + len(p) - 1} {
			o := due(&short{left})
			n, err := o.Write(p)
			require.ErrorIs(t, err, io.ErrClosedPipe)
			require.Equal(t, max(0, left-len(plainBegin)), n, "%d of %d", left, len(p))
			require.Equal(t, beginSent, o.first.state.Load())
		}
	}
}

func answers(t *testing.T, messages ...pgproto3.BackendMessage) (b []byte) {
	t.Helper()
	for _, m := range messages {
		var err error
		b, err = m.Encode(b)
		require.NoError(t, err)
	}
	return b
}

// The answer to BEGIN does not reach pgx, however the network cuts it up and whatever the
// server says in between; all else does, as it came.
func TestInlet_TakesTheAnswerToBeginOut(t *testing.T) {
	t.Parallel()
	notice := answers(t, &pgproto3.NoticeResponse{Severity: "NOTICE", Message: "12C"}, &pgproto3.ParameterStatus{Name: "a", Value: "b"}, &pgproto3.NotificationResponse{Channel: "c"})
	parse, bind, done := answers(t, &pgproto3.ParseComplete{}), answers(t, &pgproto3.BindComplete{}), answers(t, &pgproto3.CommandComplete{CommandTag: []byte("BEGIN")})
	rest := answers(t, &pgproto3.BindComplete{}, &pgproto3.DataRow{Values: [][]byte{[]byte("1"), beginAnswer}},
		&pgproto3.CommandComplete{CommandTag: []byte("SELECT 1")}, &pgproto3.ReadyForQuery{TxStatus: 'T'})
	refusal := answers(t, &pgproto3.ErrorResponse{Severity: "ERROR", Code: "57014"}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	require.Equal(t, beginAnswer, join(parse, bind, done))
	for name, c := range map[string]struct {
		sent, want []byte
		state      int32
	}{
		"at once":               {join(parse, bind, done, rest), rest, beginTaken},
		"with notices":          {join(notice, parse, notice, bind, done, notice, rest), join(notice, notice, notice, rest), beginTaken},
		"before it":             {join(notice, parse, bind, done, rest), join(notice, rest), beginTaken},
		"refused":               {refusal, refusal, beginRefused},
		"refused behind Parse":  {join(parse, notice, refusal), join(notice, refusal), beginRefused},
		"refused behind Bind":   {join(parse, bind, refusal), refusal, beginRefused},
		"another word for done": {join(parse, bind, answers(t, &pgproto3.CommandComplete{CommandTag: []byte("START TRANSACTION")}), rest), rest, beginTaken},
	} {
		for how, r := range map[string]func(io.Reader) io.Reader{
			"whole": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "in halves": iotest.HalfReader, "with the end": iotest.DataErrReader,
		} {
			first := &opening{}
			first.state.Store(beginSent)
			got, err := io.ReadAll(&inlet{r: r(bytes.NewReader(c.sent)), first: first})
			require.NoError(t, err, "%s, %s", name, how)
			require.Equal(t, c.want, got, "%s, %s", name, how)
			require.Equal(t, c.state, first.state.Load(), "%s, %s", name, how)
		}
		for cut := range c.sent { // and nothing is made up where the rest does not come
			first := &opening{}
			first.state.Store(beginSent)
			got, err := io.ReadAll(&inlet{r: bytes.NewReader(c.sent[:cut]), first: first})
			require.NoError(t, err)
			require.True(t, bytes.HasPrefix(c.want, got), "%s, %d", name, cut)
		}
	}
	for _, strange := range [][]byte{answers(t, &pgproto3.ReadyForQuery{TxStatus: 'I'}), join(parse, parse), join(bind), join(parse, bind, bind)} {
		first := &opening{}
		first.state.Store(beginSent)
		_, err := io.ReadAll(&inlet{r: bytes.NewReader(strange), first: first})
		require.ErrorIs(t, err, errConfused)
	}
	first := &opening{}
	got, err := io.ReadAll(&inlet{r: bytes.NewReader(beginAnswer), first: first})
	require.NoError(t, err)
	require.Equal(t, beginAnswer, got, "nobody has asked")
}

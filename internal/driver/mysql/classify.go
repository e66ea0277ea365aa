//go:build !dbfleet_no_mysql

package mysql

import (
	"errors"
	"strconv"

	"github.com/go-sql-driver/mysql"

	"github.com/dbfleet/dbfleet/internal/driver/session"
)

// classify sorts by the error numbers of MySQL and MariaDB, from their
// references of server errors. The names of constraint, table and column are read
// from the message, see nameIn.
func classify(err error) (session.Problem, bool) {
	var me *mysql.MySQLError
	if !errors.As(err, &me) {
		switch {
		case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, mysql.ErrMalformPkt),
			errors.Is(err, mysql.ErrPktSync), errors.Is(err, mysql.ErrPktSyncMul):
			return session.Problem{Class: session.Connection, Unanswered: true}, true
		case errors.Is(err, mysql.ErrPktTooLarge):
			return session.Problem{Class: session.InvalidValue, NotSent: true}, true
		case errors.Is(err, mysql.ErrBusyBuffer):
			return session.Problem{Class: session.Busy, NotSent: true}, true
		case errors.Is(err, mysql.ErrNoTLS), errors.Is(err, mysql.ErrOldProtocol):
			return session.Problem{Class: session.Connection, NotSent: true}, true
		case errors.Is(err, mysql.ErrCleartextPassword), errors.Is(err, mysql.ErrNativePassword),
			errors.Is(err, mysql.ErrOldPassword), errors.Is(err, mysql.ErrUnknownPlugin):
			return session.Problem{Class: session.Auth, NotSent: true}, true
		}
		return session.Problem{}, false
	}
	p := session.Problem{Class: classOf(me.Number), Code: strconv.Itoa(int(me.Number))}
	nameIn(&p, me)
	return p, true
}

func classOf(number uint16) session.Class {
	switch number {
	case 1062, 1169, 1586, 1859, 1022:
		return session.Unique
	case 1216, 1217, 1451, 1452, 1761, 1762:
		return session.ForeignKey
	case 1048, 1364, 1263, 1138:
		return session.NotNull
	case 3819, 4025, 1369:
		return session.Check
	case 1213, 3101:
		return session.Deadlock
	case 1020, 1613, 1614:
		return session.Serialization
	case 1205, 3572, 1206, 3058:
		return session.LockTimeout
	case 1290, 1792, 1836, 1874, 3100:
		return session.ReadOnly
	case 1040, 1203, 1226:
		return session.TooManyConnections
	case 1053, 1927, 1152, 1159, 1161, 1042, 1043, 1047, 4031, 3169, 1129, 1130:
		return session.Connection
	case 1969, 3024:
		return session.Timeout
	case 1317:
		return session.Canceled
	case 1044, 1045, 1142, 1143, 1227, 1370, 1698, 1820, 1862, 4151, 3118, 3159:
		return session.Auth
	case 1049, 1051, 1054, 1091, 1109, 1146, 1176, 1305, 1360, 1243:
		return session.UndefinedObject
	case 1264, 1265, 1292, 1366, 1367, 1406, 1411, 1365, 1690, 1525, 1416, 3140, 3141, 3156, 1153, 1300, 1301, 4076:
		return session.InvalidValue
	case 1064, 1065, 1110, 1136, 1149, 1210, 1222, 1241, 1295:
		return session.Syntax
	case 1021, 1037, 1038, 1041, 1114, 1461, 3170, 1030:
		return session.Full
	}
	return session.Unknown
}

// message is the server's message, and what of it may be shown.
func message(err error) (raw, shown string, ok bool) {
	var me *mysql.MySQLError
	if !errors.As(err, &me) {
		return "", "", false
	}
	raw = me.Error()
	p, _ := classify(me)
	switch {
	case string(me.SQLState[:]) == "45000", me.Number == 1644, me.Number == 1643: // SIGNAL's own words
	case p.Class == session.Unique:
	case p.Class == session.InvalidValue:
		switch me.Number {
		case 1264, 1265, 1406, 1365, 1153:
			return raw, raw, true
		}
	default:
		return raw, raw, true
	}
	return raw, session.Hidden(p.Code, p), true
}

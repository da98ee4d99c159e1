package modeltest

import (
	"fmt"
	"net/http"
	"strconv"
)

// Obey carries an order out the way HTTP backends do and reports whether it
// did: false means that the request wants a proper reply. Refusals show the
// request's credentials, as servers do that should not.
func Obey(w http.ResponseWriter, r *http.Request, o Order) bool {
	refuse := func(status int) {
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"message":"%s is refused; you sent %s"}}`, o.Kind, r.Header.Get("Authorization"))
	}
	w.Header().Set("Content-Type", "application/json")
	switch o.Kind {
	case Poison:
		refuse(http.StatusUnprocessableEntity)
	case Retriable:
		refuse(http.StatusInternalServerError)
	case Outage:
		refuse(http.StatusForbidden)
	case Later:
		w.Header().Set("Retry-After", strconv.Itoa(o.Seconds))
		refuse(http.StatusTooManyRequests)
	case Hang:
		<-r.Context().Done() // the caller hangs up; the server's own end cancels it, too
	case Garbage:
		fmt.Fprintf(w, "<html>please log in, %s</html>", r.Header.Get("Authorization"))
	case Die:
		panic(http.ErrAbortHandler)
	default:
		return false
	}
	return true
}

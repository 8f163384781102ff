// A service that demands a bearer token with the scope "read". It asks keyfob about each token.
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

type claims struct {
	Active  bool   `json:"active"`
	Subject string `json:"sub"`
	Scope   string `json:"scope"`
	// The key that the token is bound to.
	Confirmation json.RawMessage `json:"cnf"`
}

var client = &http.Client{Timeout: 3 * time.Second}

// introspect returns the claims of a token. The error says that keyfob cannot tell.
func introspect(token string) (claims, error) {
	form := url.Values{"token": {token}}
	request, err := http.NewRequest("POST", env("KEYFOB_URL", "http://127.0.0.1:8700")+"/oauth2/introspect",
		strings.NewReader(form.Encode()))
	if err != nil {
		return claims{}, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("shop", os.Getenv("KEYFOB_CLIENT_SECRET")) // the API key of the client "shop"
	answer, err := client.Do(request)
	if err != nil {
		return claims{}, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return claims{}, fmt.Errorf("keyfob answers %s", answer.Status)
	}
	var found claims
	err = json.NewDecoder(answer.Body).Decode(&found)
	return found, err
}

func page(response http.ResponseWriter, request *http.Request) {
	refuse := func(status int, header, value string) {
		response.Header().Set(header, value)
		response.WriteHeader(status)
	}
	scheme, token, _ := strings.Cut(request.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		refuse(401, "WWW-Authenticate", "Bearer")
		return
	}
	found, err := introspect(token)
	switch {
	case err != nil: // refuse, and let the client come back
		refuse(503, "Retry-After", "1")
	// A token that is bound to a key may be stolen, as this service checks no proofs of possession.
	case !found.Active || found.Confirmation != nil:
		refuse(401, "WWW-Authenticate", `Bearer error="invalid_token"`)
	case !contains(strings.Fields(found.Scope), "read"):
		refuse(403, "WWW-Authenticate", `Bearer error="insufficient_scope", scope="read"`)
	default:
		json.NewEncoder(response).Encode(map[string]string{"hello": found.Subject})
	}
}

func contains(words []string, word string) bool {
	for _, each := range words {
		if each == word {
			return true
		}
	}
	return false
}

func env(name, fallback string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return fallback
}

func main() {
	http.HandleFunc("/", page)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+env("PORT", "9000"), nil))
}

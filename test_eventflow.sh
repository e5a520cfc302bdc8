#!/usr/bin/env bash
# The whole flow of EventFlow with curl: register, log in, create, book, wait, cancel,
# be promoted, change, withdraw. Checks bodies as well as codes, and ends at the first
# wrong answer, saying what was asked, what was expected and what came.
#
#   ./test_eventflow.sh                                  # http://localhost:8080
#   BASE_URL=http://127.0.0.1:9000 ./test_eventflow.sh
#
# Every run makes people and events of its own, so it can be repeated on one server.
# Needs bash, curl and jq.
set -euo pipefail

BASE_URL=${BASE_URL:-http://localhost:8080}
BASE_URL=${BASE_URL%/}
RUN="$(date +%s)$$"
PASSWORD="plum-Tractor-$RUN"
WORK=$(mktemp -d)
STREAM=""
trap '[ -z "$STREAM" ] || kill "$STREAM" 2>/dev/null; rm -rf "$WORK"' EXIT

for tool in curl jq; do
    command -v "$tool" >/dev/null || { echo "test_eventflow.sh needs $tool" >&2; exit 2; }
done

STEP="" ASKED="" SENT="" STATUS="" CHECKS=0 STEPS=0

# wrong EXPECTED GOT: names the wrong answer and ends.
wrong() {
    {
        echo
        echo "WRONG ANSWER in step \"$STEP\""
        echo "  asked:    $ASKED"
        [ -z "$SENT" ] || echo "  sent:     $SENT"
        echo "  expected: $1"
        echo "  got:      $2"
        echo "  body:     $(head -c 2000 "$WORK/body" 2>/dev/null || true)"
    } >&2
    exit 1
}

# step NAME: what follows belongs to it.
step() {
    STEP=$1
    STEPS=$((STEPS + 1))
    printf '%2d. %s\n' "$STEPS" "$STEP"
}

# ask METHOD PATH [curl options]: leaves STATUS, $WORK/body and $WORK/headers.
ask() {
    local method=$1 path=$2
    shift 2
    ASKED="$method $BASE_URL$path" SENT=""
    : >"$WORK/body"
    STATUS=$(curl --silent --show-error --max-time 30 --request "$method" \
        --output "$WORK/body" --dump-header "$WORK/headers" --write-out '%{http_code}' \
        "$@" "$BASE_URL$path" 2>"$WORK/curl") || wrong "an answer" "none: $(cat "$WORK/curl")"
}

# send METHOD PATH TOKEN JSON [curl options]: as `ask`, as the person with TOKEN ("" for
# nobody), with a JSON body ("" for none).
send() {
    local method=$1 path=$2 token=$3 json=$4
    shift 4
    local options=("$@")
    [ -z "$token" ] || options+=(--header "Authorization: Bearer $token")
    [ -z "$json" ] || options+=(--header "Content-Type: application/json" --data-binary "$json")
    ask "$method" "$path" ${options[@]+"${options[@]}"}
    SENT=$json
}

# want STATUS [JQ…]: the last answer has this code, and each jq condition is true of its
# body. Conditions see what was exported as $ENV.NAME.
want() {
    local code=$1 condition
    shift
    [ "$STATUS" = "$code" ] || wrong "status $code" "status $STATUS"
    CHECKS=$((CHECKS + 1))
    for condition in "$@"; do
        jq --exit-status "$condition" "$WORK/body" >/dev/null 2>&1 ||
            wrong "$condition" "something else (status $STATUS)"
        CHECKS=$((CHECKS + 1))
    done
}

# want_header NAME PATTERN: the last answer has this header, and it matches.
want_header() {
    local value
    value=$(tr -d '\r' <"$WORK/headers" | sed -n "s/^$1: *//Ip" | tail -n 1)
    [[ "$value" =~ $2 ]] || wrong "header $1 like $2" "'$value'"
    CHECKS=$((CHECKS + 1))
}

# want_problem STATUS CODE [JQ…]: a problem+json with this stable code.
want_problem() {
    local code=$1 name=$2
    shift 2
    [ "$STATUS" = "$code" ] || wrong "status $code" "status $STATUS"
    want_header Content-Type '^application/problem\+json'
    want "$code" ".code == \"$name\"" '.detail | type == "string" and length > 0' \
        '.retryable | type == "boolean"' "$@"
}

# take JQ: a value out of the last body.
take() {
    jq --exit-status --raw-output "$1" "$WORK/body" 2>/dev/null || wrong "a value at $1" "none"
}

UUID_V7='^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
export UUID_V7 RUN

# ---------------------------------------------------------------------------------------
step "health"
ask GET /health
want 200 '.status | type == "string"'
ask GET /readyz
want 200

# ---------------------------------------------------------------------------------------
step "register four people"
register() { # register NAME
    send POST /auth/register "" "{\"username\":\"$1-$RUN\",\"email\":\"$1-$RUN@example.org\",\"password\":\"$PASSWORD\",\"full_name\":\"Test $1\"}"
    PERSON="$1-$RUN"
    export PERSON
    want 201 '.id | test($ENV.UUID_V7)' '.username == $ENV.PERSON' \
        '.email == $ENV.PERSON + "@example.org"' '.full_name | startswith("Test ")' \
        '.role == "attendee"' '.is_active == true' '.created_at | endswith("Z")' \
        '(has("password") or has("password_hash")) | not'
}
register alice; ALICE_ID=$(take .id)
register bob; BOB_ID=$(take .id)
register carol; CAROL_ID=$(take .id)
register dave; DAVE_ID=$(take .id)
export ALICE_ID BOB_ID CAROL_ID DAVE_ID

step "a taken name and a taken address are refused"
send POST /auth/register "" "{\"username\":\"alice-$RUN\",\"email\":\"other-$RUN@example.org\",\"password\":\"$PASSWORD\"}"
want_problem 409 taken
send POST /auth/register "" "{\"username\":\"other-$RUN\",\"email\":\"alice-$RUN@example.org\",\"password\":\"$PASSWORD\"}"
want_problem 409 taken

step "a registration without a password is refused"
send POST /auth/register "" "{\"username\":\"eve-$RUN\",\"email\":\"eve-$RUN@example.org\"}"
want 422 '.errors | length > 0' '[.. | strings] | any(contains("password"))'

# ---------------------------------------------------------------------------------------
step "log in with a form, a multipart form and JSON"
TOKEN_GOOD=('.access_token | length > 20' '.token_type == "bearer"' '.expires_in > 0')
ask POST /auth/login --data-urlencode "username=alice-$RUN" --data-urlencode "password=$PASSWORD"
want 200 "${TOKEN_GOOD[@]}"; ALICE=$(take .access_token)
ask POST /auth/login --form "username=bob-$RUN" --form "password=$PASSWORD"
want 200 "${TOKEN_GOOD[@]}"; BOB=$(take .access_token)
send POST /auth/login "" "{\"username\":\"carol-$RUN\",\"password\":\"$PASSWORD\"}"
want 200 "${TOKEN_GOOD[@]}"; CAROL=$(take .access_token)
ask POST /auth/login --data-urlencode "username=dave-$RUN@example.org" --data-urlencode "password=$PASSWORD"
want 200 "${TOKEN_GOOD[@]}"; DAVE=$(take .access_token)

step "a wrong password and an unknown name get the same answer"
ask POST /auth/login --data-urlencode "username=alice-$RUN" --data-urlencode "password=not-$PASSWORD"
want_problem 401 invalid_credentials; REFUSED=$(take .detail); export REFUSED
ask POST /auth/login --data-urlencode "username=nobody-$RUN" --data-urlencode "password=$PASSWORD"
want 401 '.detail == $ENV.REFUSED'

step "who am I"
send GET /auth/validate "$ALICE" ""
want 200 '.valid == true' '.id == $ENV.ALICE_ID' '.user.id == $ENV.ALICE_ID' '.username == "alice-" + $ENV.RUN'
send GET /users/me "$BOB" ""
want 200 '.id == $ENV.BOB_ID' '.username == "bob-" + $ENV.RUN' '.role == "attendee"'

step "no token and a bad token are refused"
ask GET /users/me
want_problem 401 unauthorized
send GET /users/me "not.a.token" ""
want_problem 401 unauthorized
send GET /auth/validate "${ALICE}x" ""
want 401
send GET /bookings "not.a.token" ""
want 401

step "is a name taken"
ask GET "/users/check-username?username=ALICE-$RUN"
want 200 '. == {"exists": true}'
ask GET "/users/check-username?username=nobody-$RUN"
want 200 '. == {"exists": false}'
ask GET "/users/check-username"
want_problem 422 validation_failed

step "change the own account"
send PATCH /users/me "$DAVE" '{"full_name":"Dave the Second"}'
want 200 '.full_name == "Dave the Second"' '.id == $ENV.DAVE_ID'
send PUT /users/me "$DAVE" "{\"email\":\"alice-$RUN@example.org\"}"
want_problem 409 taken
send PATCH /users/me "$DAVE" '{"nickname":"d"}'
want_problem 422 validation_failed
send GET /users/me "$DAVE" ""
want 200 '.full_name == "Dave the Second"' '.email == "dave-" + $ENV.RUN + "@example.org"'

step "a refresh token works once, a second use ends the session"
send POST /auth/login "" "{\"username\":\"carol-$RUN\",\"password\":\"$PASSWORD\"}"
want 200 "${TOKEN_GOOD[@]}" '.refresh_token | length > 40'; FIRST=$(take .refresh_token)
send POST /auth/refresh "" "{\"refresh_token\":\"$FIRST\"}"
want 200 "${TOKEN_GOOD[@]}"; NEXT=$(take .access_token)
send GET /users/me "$NEXT" ""
want 200 '.id == $ENV.CAROL_ID'
send POST /auth/refresh "" "{\"refresh_token\":\"$FIRST\"}"
want_problem 401 unauthorized
send GET /users/me "$NEXT" ""
want_problem 401 unauthorized
send GET /users/me "$CAROL" ""
want 200

step "log out"
send POST /auth/login "" "{\"username\":\"bob-$RUN\",\"password\":\"$PASSWORD\"}"
want 200; LEAVING=$(take .access_token)
send POST /auth/logout "$LEAVING" ""
want 200 '.detail | type == "string"'
send GET /bookings "$LEAVING" ""
want_problem 401 unauthorized
send GET /users/me "$BOB" ""
want 200

# ---------------------------------------------------------------------------------------
START=$(date -u -d '+30 days' +%Y-%m-%dT18:00:00Z 2>/dev/null || date -u -v+30d +%Y-%m-%dT18:00:00Z)
END=$(date -u -d '+30 days' +%Y-%m-%dT21:00:00Z 2>/dev/null || date -u -v+30d +%Y-%m-%dT21:00:00Z)
export START END
EVENT="{\"title\":\"Concert $RUN\",\"description\":\"An evening of brass\",\"start_time\":\"$START\",\"end_time\":\"$END\",\"location\":\"Hall $RUN, Bremen\",\"capacity\":2,\"price\":12.5}"

step "create an event with two places"
send POST /events "$ALICE" "$EVENT" --header "Idempotency-Key: create-$RUN"
want 201 '.id | test($ENV.UUID_V7)' '.title == "Concert " + $ENV.RUN' '.name == .title' \
    '.capacity == 2' '.available == 2' '.booked == 0' '.held == 0' '.waitlisted == 0' \
    '.price == 12.5' '.organizer_id == $ENV.ALICE_ID' '.is_active == true' \
    '.status == "open"' '.version == 1' '(.start_time | sub("\\.000Z$"; "Z")) == $ENV.START' \
    '(.end_time | sub("\\.000Z$"; "Z")) == $ENV.END'
EVENT_ID=$(take .id); export EVENT_ID
cp "$WORK/body" "$WORK/first"

step "find it"
ask GET "/events/search?query=concert%20$RUN"
want 200 'length == 1' '.[0].id == $ENV.EVENT_ID'
ask GET "/events?title=concert%20$RUN&location=hall%20$RUN&min_price=12.5&max_price=12.5&has_seats=true&is_active=TRUE&sort=-price"
want 200 'length == 1' '.[0].id == $ENV.EVENT_ID'
ask GET "/events?title=concert%20$RUN&has_seats=false"
want 200 '. == []'
ask GET "/events?q=brass%20$RUN&starts_after=$START"
want 200 'length == 1'
ask GET "/events?q=brass%20$RUN&starts_before=$START"
want 200 '. == []'
ask GET "/events/search"
want_problem 422 validation_failed
ask GET "/events?sort=colour"
want_problem 422 validation_failed

step "its version guards changes"
ask GET "/events/$EVENT_ID"
want 200
want_header ETag '^"1"$'
send PATCH "/events/$EVENT_ID" "$ALICE" '{"title":"Nobody sees this"}' --header 'If-Match: "7"'
want_problem 412 precondition_failed

step "the same creation with the same key is the same answer"
send POST /events "$ALICE" "$EVENT" --header "Idempotency-Key: create-$RUN"
want 201
want_header Idempotency-Replayed '^true$'
cmp -s "$WORK/first" "$WORK/body" || wrong "the first answer, byte for byte" "other bytes"

step "what cannot be an event is refused"
send POST /events "" "$EVENT"
want 401
send POST /events "$ALICE" '{"title": "broken'
want_problem 400 invalid_json
send POST /events "$ALICE" "$(jq -c 'del(.title)' <<<"$EVENT")"
want 422 '.errors | length > 0' '[.. | strings] | any(contains("title"))'
send POST /events "$ALICE" "$(jq -c '.end_time = "2001-01-01T00:00:00Z"' <<<"$EVENT")"
want 422 '.errors | length > 0'
send POST /events "$ALICE" "$(jq -c '.capacity = 0' <<<"$EVENT")"
want 422 '[.. | strings] | any(contains("capacity"))'
send POST /events "$ALICE" "$(jq -c '.colour = "red"' <<<"$EVENT")"
want 422 '[.. | strings] | any(contains("colour"))'

step "find it"
ask GET "/events/$EVENT_ID"
want 200 '.id == $ENV.EVENT_ID' '.description == "An evening of brass"' '.available == 2' \
    'has("timezone")' '.created_at | endswith("Z")'
want_header ETag '.'
ask GET "/events?title=concert%20$RUN"
want 200 'type == "array"' 'length == 1' '.[0].id == $ENV.EVENT_ID' '.[0].available == 2'
ask GET "/events?name=CONCERT%20$RUN&location=hall%20$RUN&limit=5&skip=0"
want 200 'length == 1' '.[0].id == $ENV.EVENT_ID'
ask GET "/events?title=concert%20$RUN&skip=1"
want 200 'length == 0'
ask GET "/events?location=nowhere-$RUN"
want 200 '. == []'
ask GET "/events?limit=1"
want 200 'type == "array"' 'length == 1'

# ---------------------------------------------------------------------------------------
step "book a place"
BODY="{\"event_id\":\"$EVENT_ID\"}"
send POST /bookings "$BOB" "$BODY" --header "Idempotency-Key: book-$RUN"
want 201 '.booking_id | test($ENV.UUID_V7)' '.id == .booking_id' '.event_id == $ENV.EVENT_ID' \
    '.user_id == $ENV.BOB_ID' '.status == "confirmed"' '.quantity == 1' '.seq > 0' \
    '.waitlist_position == null' '.created_at | endswith("Z")'
want_header Idempotency-Key "^book-$RUN\$"
BOB_BOOKING=$(take .booking_id); export BOB_BOOKING
cp "$WORK/body" "$WORK/first"

step "the same booking with the same key is the same answer"
send POST /bookings "$BOB" "$BODY" --header "Idempotency-Key: book-$RUN"
want 201
want_header Idempotency-Replayed '^true$'
cmp -s "$WORK/first" "$WORK/body" || wrong "the first answer, byte for byte" "other bytes"
send POST /bookings "$BOB" "{\"event_id\":\"$EVENT_ID\",\"quantity\":2}" --header "Idempotency-Key: book-$RUN"
want_problem 422 key_reused

step "a second booking of the same person is refused and shows the first"
send POST /bookings "$BOB" "$BODY"
want_problem 409 already_booked '.booking.booking_id == $ENV.BOB_BOOKING' '.booking.status == "confirmed"'

step "what cannot be a booking is refused"
send POST /bookings "" "$BODY"
want 401
send POST /bookings "$CAROL" '{"event_id":'
want 400
send POST /bookings "$CAROL" '{}'
want 422 '.errors | length > 0'
send POST /bookings "$CAROL" "{\"event_id\":\"$EVENT_ID\",\"quantity\":0}"
want 422
send POST /bookings "$CAROL" '{"event_id":"01890000-0000-7000-8000-000000000000"}'
want 404
send POST /bookings "$CAROL" "{\"event_id\":\"$EVENT_ID\",\"quantity\":3}"
want_problem 409 exceeds_capacity

step "fill it"
send POST /bookings "$CAROL" "$BODY"
want 201 '.status == "confirmed"'
CAROL_BOOKING=$(take .booking_id); export CAROL_BOOKING
ask GET "/events/$EVENT_ID"
want 200 '.available == 0' '.booked == 2' '.status == "sold_out"'

step "who doesn't want to wait is told that it is sold out"
send POST /bookings "$DAVE" "{\"event_id\":\"$EVENT_ID\",\"join_waitlist\":false}"
want_problem 409 sold_out

step "wait"
send POST /bookings "$DAVE" "$BODY"
want 201 '.status == "waitlisted"' '.waitlist_position == 1' '.user_id == $ENV.DAVE_ID'
DAVE_BOOKING=$(take .booking_id); export DAVE_BOOKING
send POST /bookings "$ALICE" "$BODY"
want 201 '.status == "waitlisted"' '.waitlist_position == 2'
ALICE_BOOKING=$(take .booking_id); export ALICE_BOOKING
send GET "/bookings/$DAVE_BOOKING" "$DAVE" ""
want 200 '.status == "waitlisted"' '.waitlist_position == 1'

step "availability"
ask GET "/events/$EVENT_ID/availability"
want 200 '.capacity == 2' '.booked == 2' '.held == 0' '.free == 0' '.available == 0' \
    '.waitlisted == 2' '.waitlist_entries == 2' '.as_of_seq > 0'

# ---------------------------------------------------------------------------------------
step "cancel, and again"
send DELETE "/bookings/$BOB_BOOKING" "$DAVE" ""
want 404
send DELETE "/bookings/$BOB_BOOKING" "$BOB" ""
want 200 '.booking_id == $ENV.BOB_BOOKING' '.status == "cancelled"'
send DELETE "/bookings/$BOB_BOOKING" "$BOB" ""
want 200 '.booking_id == $ENV.BOB_BOOKING' '.status == "cancelled"'

step "the first who waited has the place, the second moves up"
send GET "/bookings/$DAVE_BOOKING" "$DAVE" ""
want 200 '.status == "confirmed"' '.waitlist_position == null'
send GET "/bookings/$ALICE_BOOKING" "$ALICE" ""
want 200 '.status == "waitlisted"' '.waitlist_position == 1'
ask GET "/events/$EVENT_ID/availability"
want 200 '.booked == 2' '.available == 0' '.waitlist_entries == 1'

step "own lists, in every spelling"
send GET /bookings "$BOB" ""
want 200 'length == 1' '.[0].booking_id == $ENV.BOB_BOOKING' '.[0].status == "cancelled"'
send GET "/bookings?status=confirmed" "$BOB" ""
want 200 '. == []'
for path in "/users/$DAVE_ID/bookings" "/bookings/user/$DAVE_ID" /users/me/bookings /bookings/user/me; do
    send GET "$path" "$DAVE" ""
    want 200 'length == 1' '.[0].booking_id == $ENV.DAVE_BOOKING' '.[0].status == "confirmed"' \
        '.[0].event.id == $ENV.EVENT_ID' '.[0].event.title == "Concert " + $ENV.RUN'
done

step "somebody else's list and booking are not mine to see"
send GET "/users/$DAVE_ID/bookings" "$BOB" ""
want 403
send GET "/bookings/user/$DAVE_ID" "$BOB" ""
want 403
send GET "/bookings/$DAVE_BOOKING" "$BOB" ""
want 404

step "the organizer's list"
for path in "/events/$EVENT_ID/bookings" "/bookings/event/$EVENT_ID"; do
    send GET "$path" "$ALICE" ""
    want 200 'type == "array"' \
        '[.[] | select(.status == "confirmed") | .user_id] | sort == ([$ENV.CAROL_ID, $ENV.DAVE_ID] | sort)' \
        '[.[] | select(.status == "waitlisted") | .user_id] == [$ENV.ALICE_ID]'
    send GET "$path" "$BOB" ""
    want 403
done

# ---------------------------------------------------------------------------------------
step "more places go to the waitlist first"
send PATCH "/events/$EVENT_ID" "$BOB" '{"capacity":3}'
want 403
send PATCH "/events/$EVENT_ID" "$ALICE" '{"capacity":3}'
want 200 '.capacity == 3' '.version == 2' '.booked == 3' '.available == 0'
send GET "/bookings/$ALICE_BOOKING" "$ALICE" ""
want 200 '.status == "confirmed"'

step "never below what is sold"
send PATCH "/events/$EVENT_ID" "$ALICE" '{"capacity":2}'
want_problem 409 capacity_below_sold '.booked == 3' '.held == 0'
ask GET "/events/$EVENT_ID"
want 200 '.capacity == 3' '.version == 2'

step "change its words"
send PUT "/events/$EVENT_ID" "$ALICE" '{"location":"Town hall","title":"Gala '"$RUN"'"}'
want 200 '.location == "Town hall"' '.title == "Gala " + $ENV.RUN' '.version == 3' '.capacity == 3'
send PATCH "/events/$EVENT_ID" "$ALICE" '{"title":"Too late"}' --header 'If-Match: "1"'
want_problem 412 precondition_failed
ask GET "/events/$EVENT_ID"
want 200 '.title == "Gala " + $ENV.RUN' '.name == .title' '.version == 3'

# ---------------------------------------------------------------------------------------
step "the booking of one person for one event"
send GET "/bookings/user/$DAVE_ID/event/$EVENT_ID" "$DAVE" ""
want 200 '.booking_id == $ENV.DAVE_BOOKING' '.status == "confirmed"' '.ticket_code | length > 0'
send GET "/bookings/user/me/event/$EVENT_ID" "$BOB" ""
want 200 '. == null'
send GET "/bookings/user/$DAVE_ID/event/$EVENT_ID" "$BOB" ""
want_problem 403 forbidden
send DELETE "/bookings/user/me/event/$EVENT_ID" "$BOB" ""
want_problem 404 not_found

step "set places aside, with the details of the coming booking"
SESSION="{\"title\":\"Session $RUN\",\"description\":\"Seats to choose\",\"start_time\":\"$START\",\"end_time\":\"$END\",\"location\":\"Hall $RUN\",\"capacity\":2,\"price\":0}"
send POST /events "$ALICE" "$SESSION"
want 201
SESSION_ID=$(take .id); export SESSION_ID
HOLD="{\"event_id\":\"$SESSION_ID\",\"quantity\":2,\"details\":{\"seats\":[\"A1\",\"A2\"]}}"
send POST /bookings/holds "$BOB" "$HOLD" --header "Idempotency-Key: hold-$RUN"
want 201 '.hold_id | test($ENV.UUID_V7)' '.id == .hold_id' '.event_id == $ENV.SESSION_ID' \
    '.user_id == $ENV.BOB_ID' '.quantity == 2' '.details == {"seats": ["A1", "A2"]}' \
    '.status == "held"' '.expires_at > .created_at' '.seq > 0'
BOB_HOLD=$(take .hold_id); export BOB_HOLD
cp "$WORK/body" "$WORK/first"
send POST /bookings/holds "$BOB" "$HOLD" --header "Idempotency-Key: hold-$RUN"
want 201
want_header Idempotency-Replayed '^true$'
cmp -s "$WORK/first" "$WORK/body" || wrong "the first answer, byte for byte" "other bytes"
send POST /bookings/holds "$BOB" "{\"event_id\":\"$SESSION_ID\"}"
want_problem 409 has_hold '.hold_id == $ENV.BOB_HOLD' '.quantity == 2'
send POST /bookings/holds "$CAROL" "{\"event_id\":\"$SESSION_ID\"}"
want_problem 409 sold_out
send POST /bookings/holds "$CAROL" "{\"event_id\":\"$SESSION_ID\",\"details\":[]}"
want 422 '[.. | strings] | any(contains("details"))'
ask GET "/events/$SESSION_ID/availability"
want 200 '.held == 2' '.free == 0' '.available == 0'

step "change and extend a hold"
send GET "/bookings/holds/$BOB_HOLD" "$BOB" ""
want 200 '.status == "held"' '.details.seats == ["A1", "A2"]'
send GET "/bookings/holds/$BOB_HOLD" "$CAROL" ""
want_problem 404 not_found
send PATCH "/bookings/holds/$BOB_HOLD" "$BOB" '{"details":{"seats":["B1","B2"],"meal":"vegan"}}'
want 200 '.details.seats == ["B1", "B2"]'
for _ in 1 2 3; do
    send PATCH "/bookings/holds/$BOB_HOLD" "$BOB" '{"extend":true}'
    want 200 '.details.meal == "vegan"'
done
send PATCH "/bookings/holds/$BOB_HOLD" "$BOB" '{"extend":true}'
want_problem 409 no_more_extensions

step "confirm a hold"
send POST /bookings "$BOB" "{\"hold_id\":\"$BOB_HOLD\"}"
want 201 '.status == "confirmed"' '.quantity == 2' '.event_id == $ENV.SESSION_ID'
send GET "/bookings/holds/$BOB_HOLD" "$BOB" ""
want 200 '.status == "confirmed"'
send DELETE "/bookings/holds/$BOB_HOLD" "$BOB" ""
want_problem 409 already_booked

step "cancel by person and event, hold again, release"
send DELETE "/bookings/user/$BOB_ID/event/$SESSION_ID" "$BOB" ""
want 200 '.status == "cancelled"'
send POST /bookings/holds "$CAROL" "{\"event_id\":\"$SESSION_ID\"}"
want 201 '.quantity == 1' '.details == {}'
CAROL_HOLD=$(take .hold_id)
for _ in 1 2; do
    send DELETE "/bookings/holds/$CAROL_HOLD" "$CAROL" ""
    want 200 '.status == "released"'
done

step "the stream of availability"
STREAM_SECONDS=20
told() { # told TEXT: waits until the stream has told it, as long as it is open
    for _ in $(seq $((10 * STREAM_SECONDS))); do
        grep -q "^data: .*$1.*}\$" "$WORK/stream" && return
        kill -0 "$STREAM" 2>/dev/null || return 0
        sleep 0.1
    done
}
: >"$WORK/stream"
curl --silent --no-buffer --max-time "$STREAM_SECONDS" --dump-header "$WORK/stream-headers" \
    "$BASE_URL/events/$SESSION_ID/availability/stream" >"$WORK/stream" &
STREAM=$!
told '"booked":0'
send POST /bookings "$DAVE" "{\"event_id\":\"$SESSION_ID\"}"
want 201 '.status == "confirmed"'
told '"booked":1'
kill "$STREAM" 2>/dev/null || true
wait "$STREAM" || true
STREAM=""
ASKED="GET $BASE_URL/events/$SESSION_ID/availability/stream" SENT=""
grep -qi '^content-type: text/event-stream' "$WORK/stream-headers" ||
    wrong "server-sent events" "$(cat "$WORK/stream-headers")"
sed -n 's/^data: //p' "$WORK/stream" | jq -s . >"$WORK/body"
STATUS=200
want 200 'length >= 2' '.[0].booked == 0' '.[0].capacity == 2' '.[-1].booked == 1' '.[-1].free == 1'
ask GET "/events/01890000-0000-7000-8000-000000000000/availability/stream"
want_problem 404 not_found

# ---------------------------------------------------------------------------------------
step "withdraw it"
send DELETE "/events/$EVENT_ID" "$BOB" ""
want 403
send DELETE "/events/$EVENT_ID" "$ALICE" ""
want 200 '.id == $ENV.EVENT_ID' '.detail | type == "string"' '.cancelled_bookings == 3'
ask GET "/events/$EVENT_ID"
want_problem 404 not_found
ask GET "/events?title=gala%20$RUN"
want 200 '. == []'
send POST /bookings "$BOB" "$BODY"
want 404

step "its bookings are cancelled, and say what they were for"
send GET /bookings/user/me "$CAROL" ""
want 200 'length == 1' '.[0].booking_id == $ENV.CAROL_BOOKING' '.[0].status == "cancelled"' \
    '.[0].event.title == "Gala " + $ENV.RUN'
send GET "/bookings/$DAVE_BOOKING" "$DAVE" ""
want 200 '.status == "cancelled"'

step "they were told what happened"
for _ in $(seq 100); do
    send GET "/notifications?kind=EventCancelled" "$CAROL" ""
    [ "$(take length)" = 0 ] || break
    sleep 0.1
done
want 200 'length == 1' '.[0].kind == "EventCancelled"' '.[0].channel == "email"' \
    '.[0].event_id == $ENV.EVENT_ID' '.[0].subject | contains("Gala " + $ENV.RUN)' \
    '.[0].id == .[0].notification_id' '.[0].body | contains("does not take place")'
NOTICE=$(take '.[0].id')
export NOTICE
send GET "/notifications/status/$NOTICE" "$CAROL" ""
want 200 '.notification_id == $ENV.NOTICE' '.status == "queued" or .status == "sent"'
send GET "/notifications/$NOTICE" "$BOB" ""
want_problem 404 not_found
send GET "/notifications?limit=200" "$DAVE" ""
want 200 'map(.kind) | index("BookingWaitlisted") != null' \
    'map(.kind) | index("BookingPromoted") != null' '.[0].created_at >= .[-1].created_at'

step "what one wants to be told"
send GET /notifications/preferences "$CAROL" ""
want 200 '.email == true' '.kinds.EventReminder == true'
send PUT /notifications/preferences "$CAROL" '{"kinds":{"EventReminder":false}}'
want 200 '.email == true' '.kinds.EventReminder == false' '.kinds.BookingConfirmed == true'
send PUT /notifications/preferences "$CAROL" '{"kinds":{"Nonsense":false}}'
want_problem 422 validation_failed

step "an organizer writes to the attendees"
MESSAGE="{\"event_id\":\"$SESSION_ID\",\"subject\":\"Doors $RUN\",\"message\":\"They open at seven.\"}"
send POST /notifications/send "$DAVE" "$MESSAGE"
want_problem 403 forbidden
send POST /notifications/send "$ALICE" "$MESSAGE"
want 202 '.event_id == $ENV.SESSION_ID' '.to == "confirmed"' '.status == "queued"'
for _ in $(seq 100); do
    send GET "/notifications?kind=OrganizerMessage" "$DAVE" ""
    [ "$(take length)" = 0 ] || break
    sleep 0.1
done
want 200 'length == 1' '.[0].subject | contains("Doors " + $ENV.RUN)'

step "what is not there"
ask GET "/no/such/path"
want 404
ask GET "/events/not-an-id"
want 404

echo
echo "all right: $STEPS steps, $CHECKS checks against $BASE_URL"

// A failover under load, for k6 (https://k6.io): operations arrive at a constant rate
// while somebody kills things in another shell; every answer is checked, and at the end
// no event may have more bookings than places, and nobody two of one event.
//
//   k6 run benches/k6/failover.js
//   k6 run -e URL=http://127.0.0.1:8080 -e RATE=300 -e SECONDS=30 benches/k6/failover.js
//
// The server must run without limits of rates
// (EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED=false). Fewer laws are checked here than by
// `cargo run -p tests --bin drill`, which has the whole history; see docs/drills.md.

import { check, sleep } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter, Trend } from 'k6/metrics';
import {
  all, granted, guarded, headers, judgeCounts, law, makeEvent, makePeople, newRun, number, thresholds, URL,
} from './common.js';

const RATE = number('RATE', 100, 1, 2000);
const SECONDS = number('SECONDS', 30, 1, 3600);
const PEOPLE = number('PEOPLE', 100, 2, 2000);
const EVENTS = number('EVENTS', 10, 1, 1000);
// Of a hundred operations, so many are for the event that everybody wants.
const HOT_PERCENT = number('HOT_PERCENT', 40, 0, 100);
const HOT_PLACES = number('HOT_PLACES', 40, 1, 100000);
// Operations without an outcome after all repeats that a failover may cost.
const MAX_FAILED = number('MAX_FAILED', 0, 0, 1000000);
// Longest time that an operation may take, its repeats included.
const MAX_WAIT_MS = number('MAX_WAIT_MS', 10000, 1, 600000);

// A write is repeated with its key for so long.
const REPEATED_MS = 30000;
const PAUSE_S = 0.1;
// Seconds for which all new operations may have to wait.
const STALL_S = 6;
// Rows of a list that are looked at.
const PAGE = 500;
const PLACES = 200;

// Sold out and booked already are answers like others.
http.setResponseCallback(http.expectedStatuses(200, 201, 409));

const failed = new Counter('operations_without_outcome');
const errors = new Counter('errors_seen');
const waited = new Trend('operation_with_repeats', true);

export const options = {
  scenarios: {
    load: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: `${SECONDS}s`,
      // Enough for a stall of some seconds: one that is made only then comes too late.
      preAllocatedVUs: RATE * STALL_S,
      gracefulStop: '40s',
    },
  },
  setupTimeout: '5m',
  teardownTimeout: '5m',
  thresholds: {
    ...thresholds,
    operations_without_outcome: [`count<=${MAX_FAILED}`],
    operation_with_repeats: [`max<${MAX_WAIT_MS}`],
    dropped_iterations: ['count==0'],
  },
  // People differ by their tokens, not by the paths of what they read.
  systemTags: ['status', 'method', 'check', 'error_code', 'scenario'],
};

export function setup() {
  const people = makePeople(newRun(), PEOPLE);
  const events = [];
  for (let n = 0; n <= EVENTS; n += 1) {
    events.push(makeEvent(people[0].token, `Drill ${n}`, n === 0 ? HOT_PLACES : PLACES));
  }
  return { people, events };
}

export default function load(data) {
  guarded(() => operate(data));
}

function operate({ people, events }) {
  const due = Date.now();
  const person = people[Math.floor(Math.random() * people.length)];
  const event = Math.random() * 100 < HOT_PERCENT ? events[0] : events[Math.floor(Math.random() * events.length)];
  const chance = Math.random();
  if (chance < 0.6) {
    bookOrCancel(person, event);
  } else if (chance < 0.8) {
    lists(person);
  } else {
    counts(event, placesOf(event, events));
  }
  waited.add(Date.now() - due);
}

// Books; who has a booking already gives it back every third time.
function bookOrCancel(person, event) {
  const body = JSON.stringify({ event_id: event, quantity: 1, join_waitlist: true });
  const answer = write('POST', '/bookings', body, person);
  if (answer === null) return;
  const problem = answer.json();
  const taken = answer.status === 409 && problem.code === 'already_booked';
  check(answer, {
    'booked, waiting, or told why not': (a) => a.status === 201 || taken,
    'a booking of this person and event': () => taken || isBooking(problem, person, event),
  });
  if (taken && problem.booking && Math.random() < 0.33) {
    const gone = write('DELETE', `/bookings/${problem.booking.id}`, null, person);
    if (gone === null) return;
    check(gone, {
      'cancelled': (a) => a.status === 200 && a.json('status') === 'cancelled',
    });
  }
}

function isBooking(body, person, event) {
  return body.event_id === event && body.user_id === person.id && body.quantity === 1
    && (body.status === 'confirmed' || (body.status === 'waitlisted' && body.waitlist_position >= 1));
}

function lists(person) {
  const answer = read(`/bookings?limit=${PAGE}`, person);
  if (answer === null) return;
  check(answer, {
    'a list of own bookings': (a) => a.status === 200 && a.json().every((row) => row.user_id === person.id),
    'one live booking per event': (a) => {
      const live = a.json().filter((row) => row.status !== 'cancelled').map((row) => row.event_id);
      return new Set(live).size === live.length;
    },
  });
}

function placesOf(event, events) {
  return event === events[0] ? HOT_PLACES : PLACES;
}

function counts(event, places) {
  const answer = read(`/events/${event}/availability`, null);
  if (answer === null) return;
  check(answer, { 'counts': (a) => a.status === 200 });
  judgeCounts(answer.json(), places);
}

// A read is repeated as a write is: it has no effect either way.
function read(path, person) {
  return write('GET', path, null, person);
}

// Sends until there is an outcome, always with the same key.
function write(method, path, body, person) {
  const key = method === 'GET' ? null : `${exec.vu.idInTest}-${exec.vu.iterationInInstance}-${method}-${Math.random()}`;
  const params = headers(person && person.token, key);
  const giveUp = Date.now() + REPEATED_MS;
  for (;;) {
    const answer = http.request(method, `${URL}${path}`, body, params);
    if (answer.status > 0 && answer.status < 500 && answer.status !== 429) return answer;
    errors.add(1, { code: answer.status > 0 ? `${answer.status} ${code(answer)}` : 'connection' });
    if (Date.now() >= giveUp) break;
    sleep(PAUSE_S);
  }
  failed.add(1);
  return null;
}

function code(answer) {
  try {
    return answer.json('code');
  } catch (_) {
    return 'without a code';
  }
}

// When nobody writes any more, the lists of all events are read and compared.
export function teardown({ people, events }) {
  for (const event of events) {
    const counts = granted(http.get(`${URL}/events/${event}/availability`), 200);
    judgeCounts(counts, placesOf(event, events));
    const rows = all(`/events/${event}/bookings`, people[0].token);
    const confirmed = rows.filter((row) => row.status === 'confirmed');
    const waiting = rows.filter((row) => row.status === 'waitlisted');
    const live = confirmed.concat(waiting).map((row) => row.user_id);
    law(confirmed.length <= counts.capacity, `${event}: ${confirmed.length} of ${counts.capacity} places are booked`);
    law(confirmed.length === counts.booked, `${event}: ${counts.booked} are booked, the list has ${confirmed.length}`);
    law(waiting.length === counts.waitlist_entries, `${event}: ${counts.waitlist_entries} wait, the list has ${waiting.length}`);
    law(new Set(live).size === live.length, `${event}: somebody has two bookings`);
    law(waiting.length === 0 || counts.free === 0, `${event}: ${counts.free} places are free and somebody waits`);
    const last = Math.max(0, ...confirmed.map((row) => row.seq));
    law(waiting.every((row) => row.seq > last), `${event}: somebody who came later was served first`);
  }
}

// The start of a sale, for k6 (https://k6.io): the rate of buyers ramps to a spike on one
// event that has fewer places than there are people. Every answer is checked; at the end
// exactly as many places are booked as there are, nobody has two, the rest wait in order;
// then places are given back, and go to those who wait, in order.
//
//   k6 run benches/k6/on_sale.js
//   k6 run -e URL=http://127.0.0.1:8080 -e PEOPLE=500 -e PLACES=100 -e SPIKE=300 benches/k6/on_sale.js
//
// The server must run without limits of rates
// (EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED=false). The run fails on what is wrong, never on
// what is slow.

import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';
import {
  ask, askAll, audit, BATCH, expect, get, guarded, judgeCounts, judgePositions, law, makeEvent,
  makePeople, newRun, number, post, remove, thresholds, tokenOf,
} from './common.js';

// People who want a place; each comes back as often as the rate makes it.
const PEOPLE = number('PEOPLE', 200, 2, 2000);
const PLACES = number('PLACES', 50, 1, PEOPLE - 1);
// Buyers a second at the top.
const SPIKE = number('SPIKE', 150, 1, 2000);
const RAMP_S = number('RAMP_S', 5, 1, 600);
const TOP_S = number('TOP_S', 5, 1, 600);
// Buyers under way at once.
const BUYERS = number('BUYERS', Math.min(SPIKE, 200), 1, 400);
// Bookings that are given back one after the other, and then again all at once.
const CANCELS = number('CANCELS', 10, 1, BATCH);
// How many places the judge believes in, to watch it fail: fewer than PLACES must.
const JUDGED_PLACES = number('JUDGED_PLACES', PLACES, 0, PEOPLE);

// From the end of the ramp until those come who had no turn yet.
const PAUSE_S = 1;
const LATECOMERS = 10;

// Sold out and booked already are answers like others.
http.setResponseCallback(http.expectedStatuses(200, 201, 409));

const confirmedCount = new Counter('bookings_confirmed');
const waitlistedCount = new Counter('bookings_waitlisted');

export const options = {
  scenarios: {
    sale: {
      executor: 'ramping-arrival-rate',
      exec: 'sale',
      startRate: 1,
      timeUnit: '1s',
      stages: [{ target: SPIKE, duration: `${RAMP_S}s` }, { target: SPIKE, duration: `${TOP_S}s` }],
      preAllocatedVUs: BUYERS,
      gracefulStop: '30s',
    },
    // Everybody has asked for a place before it is counted, however slow the sale was.
    latecomers: {
      executor: 'shared-iterations',
      exec: 'latecomers',
      startTime: `${RAMP_S + TOP_S + PAUSE_S}s`,
      vus: Math.min(LATECOMERS, PEOPLE),
      iterations: PEOPLE,
      maxDuration: '5m',
    },
  },
  setupTimeout: '5m',
  teardownTimeout: '5m',
  batch: BATCH,
  batchPerHost: BATCH,
  thresholds: {
    ...thresholds,
    // As the buyers were told, before anything was given back.
    bookings_confirmed: [`count==${JUDGED_PLACES}`],
    bookings_waitlisted: [`count==${PEOPLE - JUDGED_PLACES}`],
  },
  systemTags: ['status', 'method', 'check', 'error_code', 'scenario'],
};

export function setup() {
  const run = newRun();
  // The first one organizes, and buys nothing.
  const [organizer, ...people] = makePeople(run, PEOPLE + 1);
  return { run, organizer, people, event: makeEvent(organizer.token, `On sale ${run}`, PLACES) };
}

// Looks at the event, buys, and tries to have a second one.
export function sale({ run, people, event }) {
  guarded(() => {
    const turn = exec.scenario.iterationInTest;
    const n = turn % people.length;
    const counts = expect(ask(get(`/events/${event}/availability`)), 200);
    if (counts) judgeCounts(counts, JUDGED_PLACES);
    const booking = buy(run, people, event, n, turn);
    if (booking) buyAgain(people[n], event, booking);
  });
}

export function latecomers({ run, people, event }) {
  guarded(() => {
    const n = exec.scenario.iterationInTest;
    buy(run, people, event, n, n);
  });
}

// Buys with the person's own key. Every other time the button is pressed twice at once.
function buy(run, people, event, n, turn) {
  const order = post('/bookings', { event_id: event }, people[n].token, `sale-${run}-${n}`);
  const answers = turn % 2 === 0 ? [ask(order)] : http.batch([order, order]);
  const bookings = answers.map((answer) => expect(answer, 201));
  if (bookings.includes(null)) return null;
  check(answers, {
    'a place, or a place in the queue': () => bookings.every((booking) => isBooking(booking, people[n], event)),
    'pressed twice, booked once': () => answers.every((answer) => answer.body === answers[0].body),
  });
  const replayed = answers.filter((answer) => answer.headers['Idempotency-Replayed'] === 'true').length;
  check(answers, { 'at most one answer is a first one': () => replayed >= answers.length - 1 });
  if (replayed < answers.length) (bookings[0].status === 'confirmed' ? confirmedCount : waitlistedCount).add(1);
  return bookings[0];
}

// Another key is another wish: refused, and the first booking shown.
function buyAgain(person, event, booking) {
  const answer = ask(post('/bookings', { event_id: event }, person.token));
  const problem = expect(answer, 409);
  if (!problem) return;
  check(answer, {
    'a second booking is refused': () => problem.code === 'already_booked',
    'and the first one is shown': () => problem.booking.booking_id === booking.booking_id,
  });
}

function isBooking(booking, person, event) {
  return booking.event_id === event && booking.user_id === person.id && booking.quantity === 1 && booking.seq > 0
    && ((booking.status === 'confirmed' && !booking.waitlist_position)
      || (booking.status === 'waitlisted' && booking.waitlist_position >= 1));
}

export function teardown({ organizer, people, event }) {
  let { counts, confirmed, waiting } = audit(event, organizer, JUDGED_PLACES);
  law(confirmed.length === PLACES, `${confirmed.length} of ${PLACES} places are booked although ${PEOPLE} people want one`);
  law(counts.available === 0, `${counts.available} places are said to be there`);
  law(confirmed.length + waiting.length === PEOPLE, `${PEOPLE} people asked, ${confirmed.length + waiting.length} have an answer`);
  const last = Math.max(...confirmed.map((row) => row.seq));
  law(waiting.every((row) => row.seq > last), 'somebody who came later was served first');
  judgePositions(event, waiting, people);

  for (let n = 0; n < CANCELS && waiting.length > 0; n += 1) {
    ({ confirmed, waiting } = giveBack([confirmed[n]], waiting, { organizer, people, event }));
  }
  const together = Math.min(CANCELS, confirmed.length);
  ({ confirmed, waiting } = giveBack(confirmed.slice(0, together), waiting, { organizer, people, event }));
  judgePositions(event, waiting, people);
  console.log(`${PEOPLE} people, ${PLACES} places: ${confirmed.length} are booked, ${waiting.length} wait`);
}

// These bookings are cancelled at once; the next in the queue have the places, nobody else.
function giveBack(leaving, waiting, { organizer, people, event }) {
  const answers = askAll(leaving.map((row) => remove(`/bookings/${row.booking_id}`, tokenOf(people, row.user_id))));
  answers.forEach((answer) => {
    const gone = expect(answer, 200);
    law(gone !== null && gone.status === 'cancelled', 'a booking that was given back is not cancelled');
  });
  const next = waiting.slice(0, leaving.length);
  const after = audit(event, organizer, JUDGED_PLACES);
  const have = new Set(after.confirmed.map((row) => row.booking_id));
  law(next.every((row) => have.has(row.booking_id)), `seq ${next.map((row) => row.seq)} were next, and have no place`);
  law(leaving.every((row) => !have.has(row.booking_id)), 'a place that was given back is still taken');
  const still = after.waiting.map((row) => row.seq).join();
  law(still === waiting.slice(leaving.length).map((row) => row.seq).join(), 'the queue moved up out of order');
  return after;
}

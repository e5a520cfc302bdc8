// Ordinary days, for k6 (https://k6.io): reads, bookings, holds and cancellations on many
// events at a constant rate. Each person remembers what it was told, and every read has to
// agree with that at once; at the end no event may have more bookings than places.
//
//   k6 run benches/k6/steady.js
//   k6 run -e URL=http://127.0.0.1:8080 -e RATE=100 -e SECONDS=60 -e PEOPLE=100 benches/k6/steady.js
//
// The server must run without limits of rates
// (EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED=false). The run fails on what is wrong, never on
// what is slow.

import { check } from 'k6';
import exec from 'k6/execution';
import http from 'k6/http';
import {
  all, ask, audit, BATCH, expect, get, guarded, judgeCounts, judgePositions, makeEvent, makePeople,
  newRun, number, post, remove, thresholds,
} from './common.js';

// Visits a second; one is up to six requests.
const RATE = number('RATE', 30, 1, 2000);
const SECONDS = number('SECONDS', 20, 1, 3600);
// Each has a virtual user of its own, so that nobody else changes what it remembers.
const PEOPLE = number('PEOPLE', 30, 2, 400);
const EVENTS = number('EVENTS', 12, 1, 100);
const PLACES = number('PLACES', 4, 1, 100000);
// How many places the judge believes in, to watch it fail: fewer than are taken must.
const JUDGED_PLACES = number('JUDGED_PLACES', PLACES, 0, 100000);

// What a visit is for, as shares of 100.
const BOOK = 40;
const CANCEL = 60;
const HOLD = 70;
const LIST = 85;

// Sold out and booked already are answers like others, as is a hold that cannot be had.
http.setResponseCallback(http.expectedStatuses(200, 201, 409));

export const options = {
  scenarios: {
    steady: {
      executor: 'constant-arrival-rate',
      rate: RATE,
      timeUnit: '1s',
      duration: `${SECONDS}s`,
      preAllocatedVUs: PEOPLE,
      maxVUs: PEOPLE,
      gracefulStop: '30s',
    },
  },
  setupTimeout: '5m',
  teardownTimeout: '5m',
  batch: BATCH,
  batchPerHost: BATCH,
  thresholds,
  systemTags: ['status', 'method', 'check', 'error_code', 'scenario'],
};

// What this virtual user's person was told: its bookings that are not cancelled, by event.
const mine = new Map();

export function setup() {
  const run = newRun();
  const [organizer, ...people] = makePeople(run, PEOPLE + 1);
  const events = [];
  for (let n = 0; n < EVENTS; n += 1) events.push(makeEvent(organizer.token, `Steady ${run} ${n}`, PLACES));
  return { run, organizer, people, events };
}

export default function visit({ run, people, events }) {
  guarded(() => {
    const person = people[exec.vu.idInTest - 1];
    const event = events[Math.floor(Math.random() * events.length)];
    const chance = Math.random() * 100;
    if (chance < BOOK) {
      book(person, event);
    } else if (chance < CANCEL) {
      cancel(person);
    } else if (chance < HOLD) {
      hold(person, event);
    } else if (chance < LIST) {
      list(person);
    } else {
      browse(run, event, events.length);
    }
  });
}

function book(person, event) {
  const known = mine.get(event);
  const answer = ask(post('/bookings', { event_id: event }, person.token));
  const body = expect(answer, known ? 409 : 201);
  if (!body) return;
  if (known) {
    check(body, {
      'a second booking is refused': (told) => told.code === 'already_booked',
      'and the first one is shown': (told) => told.booking.booking_id === known.booking_id && follows(known, told.booking),
    });
    return;
  }
  check(body, {
    'booked, or waiting': (told) => told.event_id === event && told.user_id === person.id && told.quantity === 1
      && (told.status === 'confirmed' ? !told.waitlist_position : told.status === 'waitlisted' && told.waitlist_position >= 1),
  });
  mine.set(event, body);
  readBack(person, body);
}

// Whoever got an answer sees it in the next read: by itself, in the counts, in the list.
function readBack(person, booking) {
  const seen = expect(ask(get(`/bookings/${booking.booking_id}`, person.token)), 200);
  if (seen) check(seen, { 'the booking reads as it was told': () => follows(booking, seen) });
  const counts = expect(ask(get(`/events/${booking.event_id}/availability`)), 200);
  if (counts) {
    check(counts, { 'the counts know of the booking': () => counts.as_of_seq >= booking.seq });
    judgeCounts(counts, JUDGED_PLACES);
  }
  list(person);
}

// A booking may only ever move from the queue to a place.
function follows(before, now) {
  return now.booking_id === before.booking_id && now.seq === before.seq
    && (now.status === before.status || (before.status === 'waitlisted' && now.status === 'confirmed'));
}

function list(person) {
  const answer = ask(get('/bookings?limit=500', person.token));
  const rows = expect(answer, 200);
  if (!rows) return;
  const live = rows.filter((row) => row.status !== 'cancelled');
  check(rows, {
    'the list has own bookings only': () => rows.every((row) => row.user_id === person.id),
    // Cancelled ones beyond the first page may hide some; then the page says nothing.
    'the list is what was told': () => answer.headers.Link !== undefined
      || (live.length === mine.size && live.every((row) => mine.has(row.event_id) && follows(mine.get(row.event_id), row))),
  });
  live.forEach((row) => mine.has(row.event_id) && mine.set(row.event_id, row));
}

function cancel(person) {
  const known = Array.from(mine.values());
  if (known.length === 0) {
    list(person);
    return;
  }
  const booking = known[Math.floor(Math.random() * known.length)];
  const gone = expect(ask(remove(`/bookings/${booking.booking_id}`, person.token)), 200);
  if (!gone) return;
  mine.delete(booking.event_id);
  check(gone, { 'cancelled': () => gone.booking_id === booking.booking_id && gone.status === 'cancelled' });
  const seen = expect(ask(get(`/bookings/${booking.booking_id}`, person.token)), 200);
  if (seen) check(seen, { 'it reads as cancelled': () => seen.status === 'cancelled' });
  const answer = ask(get(`/bookings/user/me/event/${booking.event_id}`, person.token));
  check(answer, { 'there is none for the event': () => answer.status === 200 && answer.body === 'null' });
  list(person);
}

// Sets a place aside, then takes it or leaves it.
function hold(person, event) {
  const answer = ask(post('/bookings/holds', { event_id: event }, person.token));
  const held = expect(answer, 201, 409);
  if (!held) return;
  if (answer.status === 409) {
    const code = mine.has(event) ? 'already_booked' : 'sold_out';
    check(held, { 'no place to hold': () => held.code === code });
    return;
  }
  check(held, { 'a place is held': () => !mine.has(event) && held.status === 'held' && held.event_id === event });
  if (Math.random() < 0.3) {
    const left = expect(ask(remove(`/bookings/holds/${held.hold_id}`, person.token)), 200);
    if (left) check(left, { 'the hold is released': () => left.status === 'released' });
    return;
  }
  const booking = expect(ask(post('/bookings', { hold_id: held.hold_id }, person.token)), 201);
  if (!booking) return;
  check(booking, { 'the hold is a booking': () => booking.status === 'confirmed' && booking.event_id === event });
  mine.set(event, booking);
  readBack(person, booking);
}

function browse(run, event, count) {
  const found = expect(ask(get(`/events?title=Steady%20${run}&limit=100`)), 200);
  if (found) check(found, { 'all events are found': () => found.length === count });
  const page = expect(ask(get(`/events/${event}`)), 200);
  if (page) check(page, { 'the page is of the event': () => page.id === event && page.capacity === PLACES });
  const counts = expect(ask(get(`/events/${event}/availability`)), 200);
  if (counts) judgeCounts(counts, JUDGED_PLACES);
}

export function teardown({ organizer, people, events }) {
  let taken = 0;
  let queue = 0;
  for (const event of events) {
    const { confirmed, waiting } = audit(event, organizer, JUDGED_PLACES);
    judgePositions(event, waiting, people);
    taken += confirmed.length;
    queue += waiting.length;
  }
  const rows = people.reduce((sum, person) => sum + all('/bookings', person.token).length, 0);
  console.log(`${events.length} events: ${taken} bookings, ${queue} wait, ${rows - taken - queue} were cancelled`);
}

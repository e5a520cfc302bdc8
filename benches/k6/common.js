// What the scenarios for k6 in this folder share: settings, people, requests, laws.

import exec from 'k6/execution';
import http from 'k6/http';
import { Counter } from 'k6/metrics';

// Most requests of one batch: log-ins beyond the server's queue of hashes are refused.
export const BATCH = 20;
// Rows of one page of a list.
const PAGE = 500;
const PASSWORD = 'a queue is no disaster';
const MAX_URL = 200;

// A sentence about the server that does not hold.
export const broken = new Counter('broken_laws');
// More places given away than there are: a broken law too, but the one that matters most.
export const oversold = new Counter('oversold');
// Answers that nobody may get here, no answer at all, and answers that cannot be read.
export const unexpected = new Counter('unexpected_errors');

// A run fails on what is wrong, never on what is slow.
export const thresholds = {
  checks: ['rate==1'],
  broken_laws: ['count==0'],
  oversold: ['count==0'],
  unexpected_errors: ['count==0'],
};

// A whole number from the environment, within bounds.
export function number(name, usual, least, most) {
  const text = __ENV[name];
  const value = text === undefined || text === '' ? usual : Number(text);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw new Error(`${name} must be a whole number from ${least} to ${most}, not "${text}"`);
  }
  return value;
}

// The address of the server.
export function address() {
  const url = (__ENV.URL || 'http://127.0.0.1:8080').replace(/\/$/, '');
  if (!/^https?:\/\//.test(url) || url.length > MAX_URL) throw new Error(`URL is no address: ${url}`);
  return url;
}

export const URL = address();

// Tells one run's people from those of another on the same server.
export function newRun() {
  return `${Date.now()}${Math.floor(Math.random() * 1e6)}`;
}

// Accounts, logged in: hashing passwords is slow on purpose, so it comes before the load.
export function makePeople(run, count) {
  const people = [];
  for (let from = 0; from < count; from += BATCH) {
    const names = [];
    for (let n = from; n < Math.min(count, from + BATCH); n += 1) names.push(`k6-${run}-${n}`);
    const accounts = names.map((username) => post('/auth/register', {
      username, email: `${username}@example.org`, password: PASSWORD,
    }));
    const made = http.batch(accounts).map((answer) => granted(answer, 201));
    const logins = names.map((username) => post('/auth/login', { username, password: PASSWORD }));
    http.batch(logins).forEach((answer, n) => {
      people.push({ id: made[n].id, token: granted(answer, 200).access_token });
    });
  }
  return people;
}

// An event far in the future.
export function makeEvent(token, title, capacity) {
  const event = {
    title,
    description: 'Made by k6.',
    location: 'Testhausen',
    start_time: '2099-06-01T18:00:00Z',
    end_time: '2099-06-01T22:00:00Z',
    capacity,
    price: 12.5,
  };
  return granted(http.post(`${URL}/events`, JSON.stringify(event), headers(token)), 201).id;
}

// A request as `http.batch` wants it.
export function post(path, body, token, key) {
  return { method: 'POST', url: `${URL}${path}`, body: JSON.stringify(body), params: headers(token, key) };
}

export function get(path, token) {
  return { method: 'GET', url: `${URL}${path}`, params: headers(token) };
}

export function remove(path, token) {
  return { method: 'DELETE', url: `${URL}${path}`, params: headers(token) };
}

// One request.
export function ask(request) {
  return http.request(request.method, request.url, request.body || null, request.params);
}

// Many requests, at most BATCH at once; answers in the same order.
export function askAll(requests) {
  const answers = [];
  for (let from = 0; from < requests.length; from += BATCH) {
    answers.push(...http.batch(requests.slice(from, from + BATCH)));
  }
  return answers;
}

// The body of an answer with one of these codes; `null`, and an error noted, for any other.
export function expect(answer, ...statuses) {
  let body = null;
  try {
    body = answer.json();
  } catch (_) {
    // No JSON is no answer.
  }
  if (body !== null && statuses.includes(answer.status)) return body;
  unexpected.add(1, { answer: `${answer.status}` });
  console.error(`UNEXPECTED ${answer.request.method} ${answer.request.url}: ${answer.status} `
    + `${answer.error || ''} ${String(answer.body).slice(0, 300)}`);
  return null;
}

// Does `work`; k6 itself goes on after an exception, and would call the run a good one.
export function guarded(work) {
  try {
    work();
  } catch (error) {
    unexpected.add(1, { answer: 'exception' });
    console.error(`EXCEPTION ${error}`);
  }
}

// Notes whether a sentence about the server holds.
export function law(kept, sentence) {
  broken.add(kept ? 0 : 1);
  if (!kept) console.error(`BROKEN ${sentence}`);
  return kept;
}

// The counts of an event say that no more than `places` are given away, and agree with
// themselves.
export function judgeCounts(counts, places) {
  const taken = counts.booked + counts.held;
  const fine = law(taken <= places, `${taken} of ${places} places are taken: ${JSON.stringify(counts)}`);
  oversold.add(fine ? 0 : 1);
  law(counts.free === counts.capacity - taken, `the counts contradict each other: ${JSON.stringify(counts)}`);
}

// When nobody writes: the organizer's list of an event against its counts and places.
// Returns who has a place and who waits, in the order of the list of each.
export function audit(event, organizer, places) {
  const counts = granted(ask(get(`/events/${event}/availability`)), 200);
  judgeCounts(counts, places);
  const rows = all(`/events/${event}/bookings`, organizer.token);
  const confirmed = rows.filter((row) => row.status === 'confirmed');
  const waiting = rows.filter((row) => row.status === 'waitlisted');
  const seats = confirmed.reduce((sum, row) => sum + row.quantity, 0);
  const people = confirmed.concat(waiting).map((row) => row.user_id);
  const fine = law(seats <= places, `${event}: the list has ${seats} of ${places} places`);
  oversold.add(fine ? 0 : 1);
  law(seats === counts.booked, `${event}: ${counts.booked} are booked, the list has ${seats}`);
  law(waiting.length === counts.waitlist_entries, `${event}: ${counts.waitlist_entries} wait, the list has ${waiting.length}`);
  law(new Set(people).size === people.length, `${event}: somebody has two bookings`);
  law(waiting.length === 0 || counts.free === 0, `${event}: ${counts.free} places are free and somebody waits`);
  waiting.sort((one, other) => one.seq - other.seq);
  law(new Set(waiting.map((row) => row.seq)).size === waiting.length, `${event}: two wait at the same seq`);
  return { counts, confirmed, waiting };
}

// Each of those who wait is told another position, in the order of seq, from 1 on.
export function judgePositions(event, waiting, people) {
  const asked = waiting.map((row) => get(`/bookings/${row.booking_id}`, tokenOf(people, row.user_id)));
  const told = askAll(asked).map((answer) => granted(answer, 200));
  told.forEach((booking, n) => {
    law(
      booking.status === 'waitlisted' && booking.waitlist_position === n + 1,
      `${event}: number ${n + 1} of the queue (seq ${booking.seq}) is told ${booking.status}, ${booking.waitlist_position}`,
    );
  });
}

export function tokenOf(people, id) {
  const person = people.find((one) => one.id === id);
  if (!person) exec.test.abort(`nobody here has the id ${id}`);
  return person.token;
}

// All rows of a list, page by page.
export function all(path, token) {
  let rows = [];
  let next = `${path}?limit=${PAGE}`;
  while (next) {
    const page = http.get(`${URL}${next}`, headers(token));
    rows = rows.concat(granted(page, 200));
    const link = /^<([^>]*)>; rel="next"/.exec(page.headers.Link || '');
    next = link && link[1].replace(/^https?:\/\/[^/]*/, '');
  }
  return rows;
}

// What setup and teardown cannot do without; else there is nothing to judge.
export function granted(answer, status) {
  if (answer.status !== status) {
    const limits = answer.status === 429 ? ' (run the server with EVENTFLOW_GATEWAY__RATE_LIMIT__ENABLED=false)' : '';
    exec.test.abort(`${answer.request.method} ${answer.request.url}: ${answer.status} ${answer.error || ''} ${answer.body}${limits}`);
  }
  return answer.json();
}

export function headers(token, key) {
  const all = { 'Content-Type': 'application/json' };
  if (token) all.Authorization = `Bearer ${token}`;
  if (key) all['Idempotency-Key'] = key;
  return { headers: all };
}

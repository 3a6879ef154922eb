// Sends chat completions with the openai package and p-limit, as their documentation shows, until standard input ends.
// Arguments: base URL, requests in flight. Prints {"rows":…,"failed":…}: the rows that have ended, and those of them that failed.
import OpenAI from 'openai';
import pLimit from 'p-limit';

const inFlight = Number(process.argv[3]);
const client = new OpenAI({ apiKey: 'no-key-needed', baseURL: process.argv[2], maxRetries: 30 });
const limit = pLimit(inFlight);

let started = 0;
let rows = 0;
let failed = 0;

async function ask() {
  const messages = [{ role: 'user', content: `Row ${started++}: say something.` }];
  try {
    await client.chat.completions.create({ model: 'm', messages, max_completion_tokens: 16 });
  } catch {
    failed++;
  }
  rows++;
}

// As many rows wait as are sent, so that p-limit has always something to start.
async function feed() {
  for (;;) {
    await limit(ask);
  }
}

process.stdin.on('end', () => {
  console.log(JSON.stringify({ rows, failed }));
  process.exit(0);
});
process.stdin.resume();
for (let i = 0; i < 2 * inFlight; i++) {
  feed();
}

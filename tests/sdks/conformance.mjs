// The official JavaScript SDKs against the simulator. BASE_URL is its address; tests/sdks/run.sh starts one.
import assert from "node:assert/strict";
import { test } from "node:test";
import OpenAI from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateObject, generateText, stepCountIs, streamObject, streamText, tool } from "ai";
import { z } from "zod";

const baseURL = process.env.BASE_URL;
const failing = process.env.FAILING_URL; // a simulator with --error-rate 1 --error-status 503
const openai = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0 });
const compatible = createOpenAICompatible({ name: "simulator", baseURL, apiKey: "none", includeUsage: true, supportsStructuredOutputs: true });
const model = "simulator-chat";
const hello = [{ role: "user", content: "Hello!" }];

const Place = z.object({
  city: z.string(),
  population: z.number().int().min(1).max(1000),
  kind: z.enum(["village", "town"]),
  tags: z.array(z.string()).min(1).max(3),
  mayor: z.object({ name: z.string(), since: z.iso.date() }).nullable(),
});
const weather = { name: "get_weather", description: "Weather at a place", parameters: z.toJSONSchema(z.object({ place: z.string(), days: z.number().int().min(1).max(7) })) };

test("openai: chat", async () => {
  const answer = await openai.chat.completions.create({ model, messages: hello, n: 2 });
  assert.equal(answer.object, "chat.completion");
  assert.equal(answer.choices.length, 2);
  assert.match(answer.choices[0].message.content, /^Answer [0-9a-f]{8}: Hello!$/);
  assert.equal(answer.choices[0].finish_reason, "stop");
  assert.equal(answer.usage.total_tokens, answer.usage.prompt_tokens + answer.usage.completion_tokens);
});

test("openai: chat as a stream, with usage", async () => {
  const stream = await openai.chat.completions.create({ model, messages: hello, stream: true, stream_options: { include_usage: true } });
  let text = "", usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.match(text, /^Answer [0-9a-f]{8}: Hello!$/);
  assert.ok(usage.completion_tokens > 0);
});

test("openai: stream helper assembles the answer", async () => {
  const answer = await openai.chat.completions.stream({ model, messages: hello }).finalChatCompletion();
  assert.match(answer.choices[0].message.content, /Hello!$/);
});

test("openai: tools, whole and streamed", async () => {
  const body = { model, messages: hello, tools: [{ type: "function", function: weather }], tool_choice: "required" };
  const whole = await openai.chat.completions.create(body);
  const streamed = await openai.chat.completions.stream(body).finalChatCompletion();
  for (const answer of [whole, streamed]) {
    const [call] = answer.choices[0].message.tool_calls;
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    assert.equal(call.function.name, "get_weather");
    const { place, days } = JSON.parse(call.function.arguments);
    assert.equal(typeof place, "string");
    assert.ok(Number.isInteger(days) && days >= 1 && days <= 7);
  }
});

test("openai: a loop with tools ends with a text", async () => {
  const asked = [];
  const runner = openai.chat.completions.runTools({
    model,
    messages: [{ role: "user", content: "Please call get_weather for me." }],
    tools: [{ type: "function", function: { ...weather, function: (args) => { asked.push(args); return "sunny"; }, parse: JSON.parse } }],
  });
  assert.match(await runner.finalContent(), /^Answer /);
  assert.equal(asked.length, 1);
});

test("openai: structured output", async () => {
  const answer = await openai.chat.completions.parse({ model, messages: hello, response_format: zodResponseFormat(Place, "place") });
  Place.parse(answer.choices[0].message.parsed);
  const json = await openai.chat.completions.create({ model, messages: hello, response_format: { type: "json_object" } });
  assert.match(JSON.parse(json.choices[0].message.content).answer, /Hello!$/);
});

test("openai: refusal, reasoning, log probabilities, length", async () => {
  const refused = await openai.chat.completions.create({ model: "simulator-refusal", messages: hello });
  assert.match(refused.choices[0].message.refusal, /Hello!$/);
  const thought = await openai.chat.completions.create({ model, messages: hello, reasoning_effort: "low", logprobs: true });
  assert.equal(thought.usage.completion_tokens_details.reasoning_tokens, 5);
  assert.equal(thought.choices[0].logprobs.content.map((token) => token.token).join(""), thought.choices[0].message.content);
  const cut = await openai.chat.completions.create({ model, messages: hello, max_completion_tokens: 2 });
  assert.equal(cut.choices[0].finish_reason, "length");
});

test("openai: responses", async () => {
  const answer = await openai.responses.create({ model, input: "Hello!", instructions: "Be brief.", reasoning: { effort: "low" } });
  assert.match(answer.output_text, /^Answer [0-9a-f]{8}: Hello!$/);
  assert.equal(answer.status, "completed");
  assert.equal(answer.usage.total_tokens, answer.usage.input_tokens + answer.usage.output_tokens);
  const cut = await openai.responses.create({ model, input: [{ role: "user", content: [{ type: "input_text", text: "Hello!" }] }], max_output_tokens: 2 });
  assert.equal(cut.incomplete_details.reason, "max_output_tokens");
});

test("openai: responses as a stream", async () => {
  const stream = openai.responses.stream({ model, input: "Hello!", reasoning: { effort: "low" } });
  let text = "", last = -1;
  for await (const event of stream) {
    assert.equal(event.sequence_number, ++last);
    text += event.type === "response.output_text.delta" ? event.delta : "";
  }
  const final = await stream.finalResponse();
  assert.equal(final.output_text, text);
  assert.match(text, /Hello!$/);
});

test("openai: responses with tools and structured output", async () => {
  const body = { model, input: "Hello!", tools: [{ type: "function", ...weather, strict: true }], tool_choice: "required" };
  const final = await openai.responses.stream(body).finalResponse();
  for (const answer of [await openai.responses.create(body), final]) {
    const [call] = answer.output;
    assert.equal(call.type, "function_call");
    assert.ok(JSON.parse(call.arguments).days >= 1);
    const after = await openai.responses.create({ model, input: [{ role: "user", content: "Hi" }, call, { type: "function_call_output", call_id: call.call_id, output: "sunny" }] });
    assert.match(after.output_text, /Hi$/);
  }
  const parsed = await openai.responses.parse({ model, input: "Hello!", text: { format: zodTextFormat(Place, "place") } });
  Place.parse(parsed.output_parsed);
});

test("openai: completions, whole and streamed", async () => {
  const answer = await openai.completions.create({ model, prompt: ["one", "two"], max_tokens: 100 });
  assert.deepEqual(answer.choices.map((choice) => choice.text.slice(17)), ["one", "two"]);
  let text = "", usage;
  for await (const chunk of await openai.completions.create({ model, prompt: "three", stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.text ?? "";
    usage = chunk.usage ?? usage;
  }
  assert.match(text, /^Answer [0-9a-f]{8}: three$/);
  assert.ok(usage.total_tokens > 0);
});

test("openai: embeddings", async () => {
  const floats = await openai.embeddings.create({ model: "simulator-embedding", input: ["a", "b"], dimensions: 16, encoding_format: "float" });
  const usual = await openai.embeddings.create({ model: "simulator-embedding", input: ["a", "b"], dimensions: 16 });
  assert.equal(floats.data.length, 2);
  assert.equal(floats.data[1].embedding.length, 16);
  floats.data[1].embedding.forEach((number, i) => assert.ok(Math.abs(number - usual.data[1].embedding[i]) < 1e-6));
});

test("openai: models", async () => {
  const ids = [];
  for await (const listed of openai.models.list()) {
    ids.push(listed.id);
  }
  assert.deepEqual(ids, ["simulator-chat", "simulator-embedding"]);
  assert.equal((await openai.models.retrieve("org/model")).id, "org/model");
});

test("openai: errors", async () => {
  await assert.rejects(openai.chat.completions.create({ model, messages: [] }), (e) => e instanceof OpenAI.BadRequestError && e.param === "messages");
  await assert.rejects(openai.responses.create({ model }), (e) => e instanceof OpenAI.BadRequestError && e.code === "missing_required_parameter");
  await assert.rejects(openai.chat.completions.create({ model, messages: hello, response_format: { type: "json_schema", json_schema: { name: "x", schema: { not: {} } } } }),
    (e) => e.status === 400 && e.code === "invalid_json_schema");
  await assert.rejects(openai.files.list(), (e) => e instanceof OpenAI.NotFoundError);
  if (failing) {
    await assert.rejects(new OpenAI({ baseURL: failing, apiKey: "none", maxRetries: 0 }).chat.completions.create({ model, messages: hello }),
      (e) => e instanceof OpenAI.InternalServerError && e.status === 503);
  }
});

test("ai: text, whole and streamed", async () => {
  const whole = await generateText({ model: compatible(model), prompt: "Hello!" });
  assert.match(whole.text, /Hello!$/);
  assert.equal(whole.finishReason, "stop");
  assert.ok(whole.usage.totalTokens > 0);
  const streamed = streamText({ model: compatible(model), prompt: "Hello!" });
  let text = "";
  for await (const piece of streamed.textStream) {
    text += piece;
  }
  assert.match(text, /Hello!$/);
  assert.ok((await streamed.usage).outputTokens > 0);
});

test("ai: tools, whole and streamed", async () => {
  const tools = { get_weather: tool({ description: "Weather", inputSchema: z.object({ place: z.string(), days: z.number().int().min(1).max(7) }), execute: async ({ place }) => `sunny in ${place}` }) };
  const options = { model: compatible(model), tools, prompt: "Please call get_weather.", stopWhen: stepCountIs(3) };
  const whole = await generateText(options);
  assert.equal(whole.steps.length, 2);
  assert.match(whole.steps[0].toolResults[0].output, /^sunny in /);
  assert.match(whole.text, /^Answer /);
  const streamed = streamText(options);
  await streamed.consumeStream();
  assert.equal((await streamed.steps).length, 2);
});

test("ai: structured output, whole and streamed", async () => {
  Place.parse((await generateObject({ model: compatible(model), schema: Place, prompt: "Hello!" })).object);
  const streamed = streamObject({ model: compatible(model), schema: Place, prompt: "Hello!" });
  let partial;
  for await (partial of streamed.partialObjectStream);
  Place.parse(await streamed.object);
  assert.deepEqual(partial, await streamed.object);
});

test("ai: embeddings, completions", async () => {
  const { embeddings } = await embedMany({ model: compatible.textEmbeddingModel("simulator-embedding"), values: ["a", "b"] });
  assert.equal(embeddings.length, 2);
  assert.match((await generateText({ model: compatible.completionModel(model), prompt: "Hello!", maxOutputTokens: 100 })).text, /Hello!/);
});

test("ai: errors", async () => {
  if (failing) {
    const broken = createOpenAICompatible({ name: "simulator", baseURL: failing, apiKey: "none" });
    await assert.rejects(generateText({ model: broken(model), prompt: "Hello!", maxRetries: 0 }), (e) => e.statusCode === 503 && e.isRetryable);
  }
});

/**
 * Takes `location` from a worker; to be imported before ONNX Runtime, which resolves its own address against
 * `location.origin`. In a worker that came from a file Deno has that be the string `null`, and no address resolves against
 * it; without `location`, ONNX Runtime does as on a server.
 */

Reflect.deleteProperty(globalThis, "location");

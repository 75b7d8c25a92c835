// @ts-check
/// <reference lib="dom" />
/**
 * The camera. A photograph is what the camera itself makes of it, a JPEG file, and never a frame
 * drawn to a canvas, whose pixels differ by browser. Where a browser cannot do that, a phone's own
 * camera app can.
 *
 * @module
 */

import { part } from "./element.js";

/**
 * The part of the standard that is used here, which the compiler's own library lacks.
 *
 * @typedef {new (track: MediaStreamTrack) => { takePhoto(): Promise<Blob> }} ImageCapture
 */

const { ImageCapture } = /** @type {{ ImageCapture?: ImageCapture }} */ (globalThis);

const open = part("camera", HTMLButtonElement);
const dialog = part("camera_dialog", HTMLDialogElement);
const video = part("camera_preview", HTMLVideoElement);
const take = part("camera_take", HTMLButtonElement);
const message = part("camera_message", HTMLElement);

/**
 * Shows the way to a camera, where there is one.
 *
 * @param {(files: readonly File[]) => void} add hears of a photograph
 */
export async function offerCamera(add) {
  if (!ImageCapture || !navigator.mediaDevices) {
    const isPhone = matchMedia("(pointer: coarse)").matches;
    part("snap_label", HTMLElement).hidden = !(isPhone && "capture" in HTMLInputElement.prototype);
    return;
  }
  const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
  if (!devices.some(({ kind }) => kind === "videoinput")) return;
  open.hidden = false;

  /** @type {MediaStreamTrack | undefined} */
  let track;
  open.addEventListener("click", () => {
    take.disabled = true;
    dialog.showModal();
    tell("Waiting for the camera …");
    start();
  });
  take.addEventListener("click", photograph);
  // However it closes: by a button, by Escape, or by a photograph.
  dialog.addEventListener("close", stop);
  part("camera_close", HTMLButtonElement).addEventListener("click", () => dialog.close());

  async function start() {
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } },
      });
      [track] = stream.getVideoTracks();
      if (!dialog.open) return stop();
      track.addEventListener("ended", () => tell("The camera went away."));
      video.srcObject = stream;
      await video.play();
      tell("");
      take.disabled = false;
      take.focus();
    } catch (error) {
      tell(why(error));
    }
  }

  async function photograph() {
    if (!track || !ImageCapture) return;
    take.disabled = true;
    try {
      const photo = await new ImageCapture(track).takePhoto();
      const type = photo.type || "image/jpeg";
      const time = new Date().toTimeString().slice(0, 8).replaceAll(":", "-");
      add([
        new File([photo], `camera-${time}.${type.replace(/^image\/(x-)?|e(?=g$)/g, "")}`, { type }),
      ]);
      dialog.close();
    } catch {
      tell("The camera gave no photograph. Try again.");
      take.disabled = false;
    }
  }

  function stop() {
    track?.stop();
    track = undefined;
    video.srcObject = null;
  }
}

/**
 * Says a sentence in the dialog: while that is open, nothing behind it is heard.
 *
 * @param {string} line
 */
function tell(line) {
  message.textContent = line;
}

/** @param {unknown} error */
function why(error) {
  const name = error instanceof DOMException ? error.name : "";
  if (name === "NotAllowedError") {
    return "The browser may not use the camera. Allow it, then try again.";
  }
  if (name === "NotReadableError") return "Another program is using the camera.";
  return "There is no camera that can be used.";
}

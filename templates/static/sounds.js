// Sounds for fills, closes, errors and stops: off until switched on, on this device only (localStorage recio.sounds). One tab sounds for all.
"use strict";
(() => {
  const { $, set, on, say } = window.desk, button = $("#sounds"), HELD_MS = 3000;
  const NOTES = { fill: [660, 880], close: [880, 660], error: [220, 220, 220], stop: [440, 220], incident: [330, 330] }; // hertz, one after the other
  const wanted = () => { try { return localStorage.getItem("recio.sounds") === "on"; } catch { return false; } };
  let audio = null;
  function play(notes) {
    audio ||= new AudioContext();
    if (audio.state !== "running") { audio.resume(); if (!navigator.userActivation?.hasBeenActive) return false; }
    notes.forEach((hertz, at) => {
      const tone = audio.createOscillator(), loud = audio.createGain(), from = audio.currentTime + at * 0.14;
      tone.frequency.value = hertz; tone.connect(loud).connect(audio.destination);
      loud.gain.setValueAtTime(0.0001, from); loud.gain.exponentialRampToValueAtTime(0.12, from + 0.01); loud.gain.exponentialRampToValueAtTime(0.0001, from + 0.13);
      tone.start(from); tone.stop(from + 0.14);
    });
    return true;
  }
  function show() { button.setAttribute("aria-pressed", String(wanted())); set(button, wanted() ? "Sounds on" : "Sounds off"); }
  button.addEventListener("click", () => {
    try { localStorage.setItem("recio.sounds", wanted() ? "off" : "on"); } catch { say("This browser keeps nothing for the page, so sounds stay off.", "bad"); }
    show();
    if (wanted()) play(NOTES.fill);
  });
  window.addEventListener("storage", show);
  on("heard", (item) => {
    const notes = NOTES[item.kind];
    if (!notes || !wanted()) return;
    if (!navigator.locks) { play(notes); return; }
    navigator.locks.request(`recio.sound ${item.key}`, { ifAvailable: true }, (mine) => mine && play(notes) ? new Promise((done) => setTimeout(done, HELD_MS)) : null);
  });
  show();
})();

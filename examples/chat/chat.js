const [title, people, door, refusal, log, pen] = ["title", "people", "door", "refusal", "log", "pen"].map(
  (id) => document.getElementById(id),
);
const socket = io({ autoConnect: false, auth: (give) => give({ name: door.name.value }) });
let names = [];

function write(text, who) {
  const line = document.createElement("li");
  if (who === undefined) line.className = "news";
  else line.append(Object.assign(document.createElement("b"), { textContent: who }), ": ");
  line.append(text); // as text: nobody writes HTML here
  log.append(line);
  line.scrollIntoView();
}

function show(list) {
  names = list;
  people.textContent = names.join(", ");
}

door.addEventListener("submit", (event) => {
  event.preventDefault();
  refusal.textContent = "";
  if (socket.connected) socket.emit("enter", door.room.value, entered);
  else socket.connect();
});

pen.addEventListener("submit", (event) => {
  event.preventDefault();
  socket.emit("say", pen.text.value);
  pen.reset();
});

function entered(list) {
  title.textContent = door.room.value;
  door.name.hidden = true;
  pen.hidden = false;
  pen.text.focus();
  show(list);
  write(`You are in ${door.room.value}.`);
}

socket.on("connect", () => socket.emit("enter", door.room.value, entered)); // again after a break
socket.on("connect_error", (error) => (refusal.textContent = error.message));
socket.on("disconnect", () => write("The connection is gone. Trying again."));
socket.on("said", (who, text) => write(text, who));
socket.on("came", (who) => {
  show([...names, who]);
  write(`${who} is here.`);
});
socket.on("leaving", (who, why) => {
  show(names.filter((name) => name !== who));
  write(`${who} is leaving: ${why}.`);
});

// Sends what is recorded in a buffer to the accompanist, and writes its answers into another.
// For the js object of Max, in rtap.maxpat. Messages: begin, stop, block, w, stem, answer.

autowatch = 1;
inlets = 1;
outlets = 2; // to udpsend; lines for the message box

var RATE = 44100;
var WINDOW = 264600; // samples, 6 s
var SHARE = 0.25; // of WINDOW in a batch; the buffers hold TURN of them
var PACKET = 1024; // samples; lists of Max hold 32767 atoms
var TURN = 64; // batches in a buffer
var STEMS = ["bass", "drums", "guitar", "piano"];

var ahead = 1;
var wanted = 1;
var running = false;
var batch = 0;
var packet = 0;
var answered = 0;

var input = new Buffer("rtap-input");
var reply = new Buffer("rtap-answer");

function step() {
    return Math.floor(WINDOW * SHARE);
}

function total() {
    return Math.ceil(step() / PACKET);
}

function begin() {
    var flags = [0, 0, 0, 0];
    flags[wanted] = 1;
    batch = packet = answered = 0;
    outlet(0, "/update_package_size", PACKET);
    outlet(0, "/update_r", SHARE);
    outlet(0, "/w", ahead);
    outlet(0, "/update_fade", 0.0);
    outlet(0, ["/predict_instruments"].concat(flags));
    outlet(0, "/reset", 1);
    running = true;
}

function stop() {
    running = false;
}

// Number of samples recorded since the beginning, as count~ tells it.
function block(recorded) {
    while (running && recorded >= end_of_packet()) {
        var start = packet * PACKET;
        var size = Math.min(PACKET, step() - start);
        var samples = input.peek(1, (batch % TURN) * step() + start, size);
        clear(start, size);
        outlet(0, ["/context", batch + 1, start, total()].concat(samples));
        packet += 1;
        if (packet === total()) {
            packet = 0;
            batch += 1;
        }
    }
}

function end_of_packet() {
    return batch * step() + Math.min((packet + 1) * PACKET, step());
}

// What was played eight batches ago is cleared, so that it does not return with the next turn.
function clear(start, size) {
    var zeros = [];
    for (var i = 0; i < size; i++) {
        zeros.push(0.0);
    }
    reply.poke(1, ((batch + TURN - 8) % TURN) * step() + start, zeros);
}

function w(value) {
    ahead = Math.max(-1, Math.min(1, Math.round(value)));
}

function stem(index) {
    wanted = Math.max(0, Math.min(3, Math.round(index)));
}

// An answer: the packet's batch and place, then its samples.
function answer() {
    var numbers = arrayfromargs(arguments);
    var place = (numbers[0] + ahead + TURN) % TURN;
    reply.poke(1, place * step() + numbers[1] * PACKET, numbers.slice(3));
    answered += 1;
    outlet(1, "set", answered + " packets of answers");
}

function anything() {
    if (messagename === "/batch_dropped") {
        outlet(1, "set", "the server was busy and left an answer out");
    } else if (STEMS.indexOf(messagename.slice(1)) >= 0) {
        answer.apply(this, arrayfromargs(arguments));
    }
}

// sharp.mjs — thumbnails by the sharp of npm in one process, one after another: sharp.mjs FOLDER PICTURE COUNT
// Prints JSON: pictures, and seconds of processor time of their making. FOLDER has node_modules.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const [folder, picture, count] = process.argv.slice(2);
const sharp = createRequire(`${folder}/`)("sharp");
sharp.concurrency(1); // a thread for each core is the pool's business, not one picture's
sharp.cache(false);
const bytes = readFileSync(picture);
const make = () => sharp(bytes).autoOrient().resize(250).jpeg({ quality: 80 }).toBuffer();

const first = await make(); // the first one loads everything
const { width, height } = await sharp(first).metadata();
const begin = process.cpuUsage();
for (let i = 0; i < Number(count); ++i) await make();
const { user, system } = process.cpuUsage(begin);
console.log(JSON.stringify({ pictures: Number(count), seconds: (user + system) / 1e6, width, height }));

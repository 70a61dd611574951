import { text } from "./part.js"
document.title = text

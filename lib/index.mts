// Node finds a CommonJS module's names by its text; `export *` keeps this list to one place.
export * from './index.js';

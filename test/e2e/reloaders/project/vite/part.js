export const text = "save-0"

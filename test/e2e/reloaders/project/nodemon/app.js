console.log("save-0")
setInterval(() => {}, 1000)

#!/usr/bin/env python3
"""Status board: an HTTP service that lies among the agents. It is asked by browsers, not by the coordinator."""
import os
from datetime import datetime

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

app = FastAPI(title="Status board", version="1.0.0")

REPORTS = {}


class Report(BaseModel):
    agent_name: str
    status: str
    tasks_processed: int = 0


@app.get("/health")
async def health():
    return {"status": "healthy", "agent": os.getenv("AGENT_NAME", "status-board"), "timestamp": datetime.now().isoformat()}


@app.post("/api/reports")
async def take_report(report: Report):
    REPORTS[report.agent_name] = report
    return {"success": True}


@app.get("/api/reports/{agent_name}")
async def show_report(agent_name: str):
    if agent_name not in REPORTS:
        raise HTTPException(status_code=404, detail=f"no report of {agent_name}")
    return REPORTS[agent_name]


if __name__ == "__main__":
    uvicorn.run(app, host="0.0.0.0", port=int(os.getenv("PORT", "8080")))

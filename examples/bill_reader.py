"""An agent whose answers have a shape: it reads a bill and returns an object, checked, and mended where it has to be.

Start it with `python examples/bill_reader.py`; addresses come from AMQP_URL and OLLAMA_URL. Then, in another terminal:

    sutazai submit bill-reader "Ann's Bikes: one bell 8.50, two tubes 12.00. To be paid in 14 days." --wait
"""

from pydantic import BaseModel, Field

from agents import BaseAgentV2, TaskMessage


class Bill(BaseModel):
    """What a bill says. What the model cannot be held to while it writes, such as `ge`, is checked afterwards."""

    seller: str = Field(max_length=80)
    total: float = Field(ge=0)
    days_to_pay: int | None = Field(default=None, ge=0)


class BillReader(BaseAgentV2):
    """Reads bills. Its results are objects of this shape, or the task fails with `invalid_output`."""

    output_model = Bill

    async def process_task(self, task: TaskMessage) -> Bill:
        """Return what the bill in the prompt says."""
        asked = (
            f"Seller, total and days to pay of this bill, as JSON; days_to_pay null if it says none:\n\n{task.prompt}"
        )
        return await self.query_ollama(asked, output_model=Bill, temperature=0, max_tokens=128)


if __name__ == "__main__":
    BillReader().run()
